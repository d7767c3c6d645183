"""Presets over benchmarks: the runner, what it writes down, and what may be concluded from it."""
