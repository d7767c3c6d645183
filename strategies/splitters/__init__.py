"""Cut a timeline into groups."""
