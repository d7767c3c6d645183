"""Errors that people see as a message alone, and what is left of any error."""

from __future__ import annotations

from dataclasses import dataclass


class UsageError(ValueError):
    """Says what was got, what was expected and which key to change. Shown without a traceback; exit status 2."""


class RunError(Exception):
    """Says why what was asked was not fully done. Shown without a traceback; exit status 1."""


@dataclass(frozen=True)
class Failure:
    """Describes an error that was shown.

    A cell of a sweep hands it back instead of a result, also from another machine.
    """

    status: int  # exit status: 2 wrong use, 1 anything else
    message: str
