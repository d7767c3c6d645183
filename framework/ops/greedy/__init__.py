"""Choosing few tokens that stand for all: distances between tokens, facility location, greedy orders."""
