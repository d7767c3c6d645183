"""Mirrors of a run: none, a table on disk, Weights & Biases."""

from framework.evaluation.tracker import About, NoTracker, Sweep, Tracker

__all__ = ["About", "NoTracker", "Sweep", "Tracker"]
