"""Outcomes for people: a terminal view, a picture, and the same as data."""
