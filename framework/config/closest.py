"""Which known name was probably meant by one that is not known. Loads nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """Asks whether the closest known name was meant. Returns an empty text where none is close.

    Of dotted keys under one node only what follows the last dot counts: all that stands before it is alike.
    """
    parent, _, last = name.rpartition(".")
    names = list(known)
    beside = {one.rpartition(".")[2]: one for one in names if one.rpartition(".")[0] == parent} if parent else {}
    close = difflib.get_close_matches(last if beside else name, list(beside) or names, n=1, cutoff=0.7)
    return f"; did you mean {beside.get(close[0], close[0])}?" if close else ""
