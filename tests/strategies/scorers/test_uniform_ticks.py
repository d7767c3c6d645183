"""Whole, evenly spaced ticks within the budget."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.view import Needs
from framework.testing import toys
from strategies.scorers.uniform_ticks import UniformTicks

PER_TICK = toys.ROWS * toys.COLUMNS


def _kept(ticks: int, budget: int) -> list[int]:
    """Positions (in the group) of the ticks that are kept whole."""
    values = UniformTicks(budget).score(toys.view(Needs(), ticks=ticks)).values.view(ticks, PER_TICK)
    whole = (values == 0).all(1)
    assert torch.equal(whole, (values > -math.inf).any(1))
    return whole.nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("ticks", "budget", "expected"),
    [
        (9, 3 * PER_TICK, [0, 4, 8]),
        (9, 3 * PER_TICK + 11, [0, 4, 8]),  # a part of a tick buys nothing
        (10, 4 * PER_TICK, [0, 3, 6, 9]),
        (10, 3 * PER_TICK, [0, 5, 9]),  # 4.5 rounds up
        (7, 1 * PER_TICK, [3]),
        (7, 1, [3]),  # at least one tick
        (1, 5, [0]),
        (5, 100 * PER_TICK, [0, 1, 2, 3, 4]),
    ],
)
def test_hand_computed_positions(ticks: int, budget: int, expected: list[int]) -> None:
    assert _kept(ticks, budget) == expected


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(1, 1000))
def test_as_many_as_fit_evenly(ticks: int, budget: int) -> None:
    kept = _kept(ticks, budget)
    assert len(kept) == min(max(1, budget // PER_TICK), ticks)
    steps = [b - a for a, b in pairwise(kept)]
    assert not steps or (max(steps) - min(steps) <= 1 and kept[0] == 0 and kept[-1] == ticks - 1)


def test_it_needs_nothing() -> None:
    assert UniformTicks(8).needs.nothing


def test_a_budget_below_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"scorer\.budget must be >= 1 token, got 0"):
        UniformTicks(0)
