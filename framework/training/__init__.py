"""Training: Lightning modules and data for the lab model and for learned strategies."""
