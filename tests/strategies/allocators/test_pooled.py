"""One pool over all tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import ScoredGroup
from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.pooled import Pooled


def _groups(scores: list[list[float]], relevances: list[float], comparable: bool) -> list[ScoredGroup]:
    return [
        replace(toys.scored_group(i, 1, relevance), scores=torch.tensor(one), comparable=comparable)
        for i, (one, relevance) in enumerate(zip(scores, relevances, strict=True))
    ]


@pytest.mark.parametrize("temperature", [0.01, 0.15, 2.0])
def test_contract(temperature: float) -> None:
    check_allocator(Pooled(temperature, 0.1))


def test_comparable_scores_are_pooled_as_they_are() -> None:
    groups = _groups([[9.0, 1.0, -math.inf], [8.0, 7.0, 6.0], [0.5, 0.4, 0.3]], [-3.0, -2.0, -0.1], comparable=True)
    pooled = Pooled(0.15, 0.1)
    assert [pooled.allocate(groups, toys.QUESTION, k) for k in (1, 3, 5, 6, 99)] == [
        [1, 0, 0],
        [1, 2, 0],
        [2, 3, 0],
        [2, 3, 1],
        [2, 3, 3],
    ]


def test_other_scores_count_as_shares_of_their_group() -> None:
    # softmax over scores ln 3, ln 1 is .75, .25; over ln 1, ln 1, ln 2 it is .25, .25, .5; groups weigh .45, .55
    groups = _groups(
        [[math.log(3), 0.0], [0.0, 0.0, math.log(2)]], [2.0 * math.log(0.45), 2.0 * math.log(0.55)], comparable=False
    )
    # values .3375, .1125 and .1375, .1375, .275
    pooled = Pooled(temperature=2.0, score_temperature=1.0)
    assert [pooled.allocate(groups, toys.QUESTION, k) for k in range(6)] == [
        [0, 0],
        [1, 0],
        [1, 1],
        [1, 2],
        [1, 3],
        [2, 3],
    ]


def test_ties_go_to_the_more_relevant_then_to_the_lower_index() -> None:
    groups = _groups([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [-0.5, -0.1, -0.5], comparable=True)
    assert Pooled(0.15, 0.1).allocate(groups, toys.QUESTION, 3) == [1, 2, 0]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 6), min_size=0, max_size=6), min_size=1, max_size=5), st.integers(0, 20))
def test_the_quotas_count_the_best_of_the_pool(scores: list[list[int]], budget: int) -> None:
    groups = _groups([[float(s) for s in one] for one in scores], [-1.0] * len(scores), comparable=True)
    quotas = Pooled(1.0, 1.0).allocate(groups, toys.QUESTION, budget)
    pool = sorted((-score, g) for g, one in enumerate(scores) for score in one)[:budget]
    assert quotas == [sum(g == i for _, g in pool) for i in range(len(scores))]


def test_most_is_what_is_among_the_best_now() -> None:
    groups = _groups([[9.0, 1.0, -math.inf], [8.0, 7.0, 6.0], [6.0, 0.4, 0.3]], [-3.0, -2.0, -0.1], comparable=True)
    pooled = Pooled(0.15, 0.1)
    assert [pooled.most(groups, toys.QUESTION, k) for k in (0, 1, 3, 4, 6, 99)] == [
        [0, 0, 0],
        [1, 0, 0],
        [1, 2, 0],
        [1, 3, 1],  # two tokens are as good as the fourth
        [2, 3, 1],
        [2, 3, 3],
    ]


def test_nothing_usable() -> None:
    groups = _groups([[-math.inf], [-math.inf, -math.inf]], [-0.5, -0.1], comparable=False)
    assert Pooled(1.0, 1.0).allocate(groups, toys.QUESTION, 3) == [0, 0]
    assert Pooled(1.0, 1.0).allocate([], toys.QUESTION, 3) == []


@pytest.mark.parametrize(("temperature", "score_temperature"), [(0.0, 1.0), (1.0, -1.0)])
def test_bad_keys_are_named(temperature: float, score_temperature: float) -> None:
    with pytest.raises(ValueError, match=r"allocator\.(score_)?temperature must be > 0"):
        Pooled(temperature, score_temperature)
