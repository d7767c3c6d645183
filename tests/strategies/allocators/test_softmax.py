"""Certainty-weighted quotas: the published numbers, both limits of the temperature, the minimum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.softmax import Softmax


def _quotas(relevances: list[float], budget: int, temperature: float, minimum: int = 0, size: int = 1000) -> list[int]:
    groups = [toys.scored_group(i, size, relevance) for i, relevance in enumerate(relevances)]
    return Softmax(temperature, minimum).allocate(groups, toys.QUESTION, budget)


@pytest.mark.parametrize("temperature", [0.001, 0.15, 2.0])
@pytest.mark.parametrize("minimum", [0, 1, 50])
def test_contract(temperature: float, minimum: int) -> None:
    check_allocator(Softmax(temperature, minimum))


def test_a_certain_and_a_uniform_group_at_the_published_temperature() -> None:
    # exp(ln 4 / 2) = 2: a certain group gets exactly twice a uniform one's share of four options
    assert _quotas([0.0, -math.log(4)], 300, temperature=2.0) == [200, 100]


def test_the_published_example_pair() -> None:
    # entropies .14 and 1.22 at temperature 2: ratio exp(1.08 / 2) = 1.716
    high, low = _quotas([-0.14, -1.22], 1000, temperature=2.0)
    assert (high, low) == (632, 368)


def test_limits_of_the_temperature() -> None:
    assert _quotas([-0.5, -0.1, -0.9], 30, temperature=1e9) == [10, 10, 10]
    assert _quotas([-0.5, -0.1, -0.9], 30, temperature=1e-4, size=20) == [10, 20, 0]  # fills one, then the next


def test_the_minimum_comes_first() -> None:
    assert _quotas([0.0, -50.0, -50.0], 10, temperature=0.1, minimum=2) == [6, 2, 2]
    assert _quotas([0.0, -1.0, -2.0], 4, temperature=0.1, minimum=2) == [2, 1, 1]  # while the budget lasts
    assert _quotas([0.0, -1.0, -2.0], 2, temperature=0.1, minimum=2) == [1, 1, 0]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(-12, 0), min_size=1, max_size=8), st.integers(0, 500), st.floats(0.05, 5))
def test_within_one_token_of_the_formula(relevances: list[float], budget: int, temperature: float) -> None:
    weights = [math.exp(r / temperature) for r in relevances]
    for quota, weight in zip(_quotas(relevances, budget, temperature), weights, strict=True):
        assert abs(quota - budget * weight / math.fsum(weights)) < 1 + 1e-6


groups_seen = st.lists(st.tuples(st.floats(-12, 0), st.integers(0, 40)), min_size=1, max_size=9)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(groups_seen, st.integers(0, 120), st.integers(0, 120), st.floats(0.05, 5), st.sampled_from([0, 1, 7]))
def test_no_quota_exceeds_what_was_said_on_the_way(
    seen: list[tuple[float, int]], budget: int, less: int, temperature: float, minimum: int
) -> None:
    """In any order of relevances and sizes, full groups that hand on among them, and for any smaller budget."""
    allocator = Softmax(temperature, minimum)
    groups = [toys.scored_group(i, size, relevance, seed=i) for i, (relevance, size) in enumerate(seen)]
    for spent in {budget, min(less, budget)}:
        quotas = allocator.allocate(groups, toys.QUESTION, spent)
        for visited in range(1, len(groups) + 1):
            most = allocator.most(groups[:visited], toys.QUESTION, budget)
            assert all(quota <= limit for quota, limit in zip(quotas, most, strict=False))


def test_what_is_said_falls_with_every_group() -> None:
    """Equal groups of 100, 60 tokens: all 60, then a half, a third, a quarter, and one each for rounding up."""
    groups = [toys.scored_group(i, 100, -0.5) for i in range(4)]
    said = [Softmax(2.0, 0).most(groups[: i + 1], toys.QUESTION, 60)[0] for i in range(4)]
    assert said == [60, 31, 21, 16]
    assert Softmax(2.0, 0).most([toys.scored_group(0, 20, -0.5)], toys.QUESTION, 60) == [20]


@pytest.mark.parametrize(
    ("temperature", "minimum", "key"), [(0.0, 0, "temperature"), (-1, 0, "temperature"), (1, -1, "minimum")]
)
def test_bad_keys_are_named(temperature: float, minimum: int, key: str) -> None:
    with pytest.raises(ValueError, match=rf"allocator\.{key} must be"):
        Softmax(temperature, minimum)
