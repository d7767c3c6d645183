"""A permutation that only the seed and the number of groups decide."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.schedulers.random import Random


def group(index: int) -> Group:
    return Group(index, torch.tensor([index]))


def seen(index: int) -> ScoredGroup:
    return ScoredGroup(group(index), torch.zeros(1), Relevance(-1.0, 1.0, "nats"))


def order(scheduler: Random, total: int) -> list[int]:
    visited: list[ScoredGroup] = []
    remaining = [group(index) for index in range(total)]
    while remaining:
        chosen = scheduler.next(visited, remaining).index
        visited.append(seen(chosen))
        remaining = [g for g in remaining if g.index != chosen]
    return [s.group.index for s in visited]


@settings(max_examples=30, deadline=None)
@given(total=st.integers(1, 40), seed=st.integers(0, 1000))
def test_every_group_is_visited_once_in_an_order_that_repeats(total: int, seed: int) -> None:
    first = order(Random(seed), total)
    assert sorted(first) == list(range(total))
    assert order(Random(seed), total) == first


def test_the_choice_does_not_depend_on_how_the_visited_were_reached() -> None:
    scheduler, remaining = Random(3), [group(index) for index in (1, 4, 5)]
    visited = [seen(index) for index in (0, 2, 3)]
    assert scheduler.next(visited, remaining) is scheduler.next(visited[::-1], remaining)


def test_seeds_give_different_orders_that_start_everywhere() -> None:
    starts = [order(Random(seed), 8)[0] for seed in range(64)]
    assert set(starts) == set(range(8))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed must be >= 0, got -1"):
        Random(-1)
