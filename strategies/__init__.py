"""The ideas: one file per strategy, each standing alone. Found through conf/, never listed here."""
