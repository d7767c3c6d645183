"""Video files become timelines, and groups of a timeline become pixels. Knows no model, no strategy and no
configuration."""
