"""The errors whose message is all that people need; and what is left of any error. Knows no more."""

from __future__ import annotations

from dataclasses import dataclass


class UsageError(ValueError):
    """What was got, what was expected, which key to change. Shown without a traceback; exit status 2."""


class RunError(Exception):
    """What was asked was not fully done; the message says why. Shown without a traceback; exit status 1."""


@dataclass(frozen=True)
class Failure:
    """An error that was shown: what a cell of a sweep hands back instead of a result, also from another machine."""

    status: int  # exit status: 2 wrong use, 1 anything else
    message: str
