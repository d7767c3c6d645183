"""What every training shares: one fit, its batches, its schedule and its folder. Knows no recipe."""
