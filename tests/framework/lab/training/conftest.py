"""The shipped lab model and what it encoded."""

from tests.fixtures.shipped_lab import backbone, features

__all__ = ["backbone", "features"]
