"""What the trained selector keeps, what it costs and what it is worth."""
