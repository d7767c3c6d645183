"""Learned methods, one folder each: networks, training, commands. Thin strategies use them; none uses another."""
