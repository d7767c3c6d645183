"""Outcomes for people: a terminal view, a picture, and the same as data. Knows values, never strategies or models."""
