"""Falling index order."""

from __future__ import annotations

import torch

from framework.core.types import Group
from strategies.schedulers.reversed import Reversed


def test_the_highest_index_comes_first() -> None:
    remaining = [Group(index, torch.tensor([index])) for index in (2, 5, 9)]
    assert Reversed().next([], remaining).index == 9
    assert Reversed().next([], remaining[:2]).index == 5
