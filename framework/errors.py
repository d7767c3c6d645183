"""The one error that means: the person at the keyboard can fix this. Knows nothing else."""

from __future__ import annotations


class UsageError(ValueError):
    """What was got, what was expected, which key to change. Shown without a traceback; exit status 2."""
