"""What the lab model can do at all."""
