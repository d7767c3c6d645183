"""Probes on disk: look once, then replay every choice that comes after the probe."""
