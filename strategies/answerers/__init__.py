"""Give the answer."""
