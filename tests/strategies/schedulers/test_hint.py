"""The highest hint first, none last."""

from __future__ import annotations

import torch

from framework.core.types import Group
from strategies.schedulers.hint import Hint


def order(*hints: float | None) -> list[int]:
    remaining = [Group(index, torch.tensor([index]), hint) for index, hint in enumerate(hints)]
    found = []
    while remaining:
        chosen = Hint().next([], remaining)
        found.append(chosen.index)
        remaining.remove(chosen)
    return found


def test_highest_first_ties_to_the_lower_index_and_none_last() -> None:
    assert order(2.0, None, 7.0, 2.0, None, -1.0) == [2, 0, 3, 5, 1, 4]


def test_without_hints_the_order_is_natural() -> None:
    assert order(None, None, None) == [0, 1, 2]
