"""The bound by hand, where it leads, and that it stays a permutation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.schedulers.upper_confidence import UpperConfidence


def group(index: int) -> Group:
    return Group(index, torch.tensor([index]))


def seen(index: int, relevance: float) -> ScoredGroup:
    return ScoredGroup(group(index), torch.zeros(1), Relevance(relevance, -relevance, "nats"))


def test_without_exploration_a_neighbour_of_the_relevant_group_comes_next() -> None:
    visited = [seen(0, -1.3), seen(10, -0.1), seen(20, -1.3)]
    remaining = [group(index) for index in range(21) if index not in (0, 10, 20)]
    assert UpperConfidence(width=1.0, exploration=0.0).next(visited, remaining).index == 9


def test_with_much_exploration_the_farthest_from_all_visited_comes_next() -> None:
    scheduler = UpperConfidence(width=1.0, exploration=100.0)
    remaining = [group(index) for index in range(1, 33)]
    assert scheduler.next([], [group(0), *remaining]).index == 0
    assert scheduler.next([seen(0, -1.0)], remaining).index == 32
    assert scheduler.next([seen(0, -1.0), seen(32, -1.0)], remaining[:-1]).index == 16


def test_the_exploration_at_which_near_and_far_are_worth_the_same() -> None:
    """Visited 0 (-.2) and 40 (-1.0), so the mean is -.6; near = 1 (weight w = e^-.5 of 0), far = 20 (no weight)."""
    near, far, w = group(1), group(20), math.exp(-0.5)
    gain = (-0.6 - 0.2 * w) / (1 + w) - (-0.6)
    price = math.sqrt(math.log(3)) * (1 - math.sqrt(1 / (1 + w)))
    visited = [seen(0, -0.2), seen(40, -1.0)]
    assert UpperConfidence(1.0, 0.99 * gain / price).next(visited, [near, far]) is near
    assert UpperConfidence(1.0, 1.01 * gain / price).next(visited, [near, far]) is far


@settings(max_examples=25, deadline=None)
@given(
    relevance=st.lists(st.floats(-1.4, 0.0), min_size=1, max_size=25),
    width=st.floats(0.1, 5.0),
    exploration=st.floats(0.0, 3.0),
)
def test_every_group_is_visited_once_in_an_order_that_repeats(
    relevance: list[float], width: float, exploration: float
) -> None:
    orders = []
    for _ in range(2):
        visited: list[ScoredGroup] = []
        remaining = [group(index) for index in range(len(relevance))]
        while remaining:
            chosen = UpperConfidence(width, exploration).next(visited, remaining)
            visited.append(seen(chosen.index, relevance[chosen.index]))
            remaining.remove(chosen)
        orders.append([s.group.index for s in visited])
    assert orders[0] == orders[1] and sorted(orders[0]) == list(range(len(relevance)))


def test_bad_keys_are_named() -> None:
    with pytest.raises(ValueError, match=r"scheduler\.width must be > 0 groups, got 0"):
        UpperConfidence(0, 1.0)
    with pytest.raises(ValueError, match=r"scheduler\.exploration must be >= 0, got -1"):
        UpperConfidence(1.0, -1)
