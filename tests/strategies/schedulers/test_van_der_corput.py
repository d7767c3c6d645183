"""Bit reversal by hand, and how evenly any beginning of it covers the groups."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Group
from strategies.schedulers.van_der_corput import VanDerCorput


def order(total: int) -> list[int]:
    remaining = [Group(index, torch.tensor([index])) for index in range(total)]
    found = []
    while remaining:
        chosen = VanDerCorput().next([], remaining)
        found.append(chosen.index)
        remaining.remove(chosen)
    return found


def test_eight_groups_by_hand() -> None:
    assert order(8) == [0, 4, 2, 6, 1, 5, 3, 7]


def test_numbers_that_are_no_power_of_two_leave_out_what_is_missing() -> None:
    assert order(6) == [0, 4, 2, 1, 5, 3]
    assert order(1) == [0]


@pytest.mark.parametrize("total", [1, 2, 3, 7, 16, 33])
def test_every_group_comes_once(total: int) -> None:
    assert sorted(order(total)) == list(range(total))


def test_the_first_quarter_of_64_lies_on_an_even_grid() -> None:
    assert sorted(order(64)[:16]) == list(range(0, 64, 4))
