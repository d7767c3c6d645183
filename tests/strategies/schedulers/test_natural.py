"""Index order."""

from __future__ import annotations

import torch

from framework.core.types import Group
from strategies.schedulers.natural import Natural


def test_the_lowest_index_comes_first() -> None:
    remaining = [Group(index, torch.tensor([index])) for index in (2, 5, 9)]
    assert Natural().next([], remaining).index == 2
    assert Natural().next([], remaining[1:]).index == 5
