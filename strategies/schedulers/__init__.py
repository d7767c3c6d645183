"""Choose which group to look at next."""
