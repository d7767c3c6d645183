"""Decide when the evidence is enough."""
