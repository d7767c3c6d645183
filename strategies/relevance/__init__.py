"""Compare groups with one another."""
