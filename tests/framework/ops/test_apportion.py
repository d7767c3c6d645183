"""Quotas: hand-computed shares, and what must hold for any weights, caps and budget."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Candidates
from framework.ops.apportion import apportion, apportion_log, at_most, worth
from framework.testing import toys

groups = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e9), st.floats(0, 1e-9)),  # weight
        st.one_of(st.integers(0, 12), st.integers(0, 20_000)),  # cap
        st.floats(-5, 0),  # priority
    ),
    min_size=1,
    max_size=12,
)
budgets = st.one_of(st.integers(0, 60), st.integers(0, 100_000))


def test_shares_that_divide_evenly() -> None:
    assert apportion([1, 2, 1], [100, 100, 100], 8, [0, 0, 0]) == [2, 4, 2]


def test_largest_remainder_gets_what_is_left() -> None:
    # 10 x (.5, .3, .2) = 5, 3, 2; 11 x ... = 5.5, 3.3, 2.2: the half wins
    assert apportion([5, 3, 2], [99, 99, 99], 10, [0, 0, 0]) == [5, 3, 2]
    assert apportion([5, 3, 2], [99, 99, 99], 11, [0, 0, 0]) == [6, 3, 2]
    assert apportion([5, 3, 2], [99, 99, 99], 12, [0, 0, 0]) == [6, 4, 2]  # 6, 3.6, 2.4


def test_ties_go_to_the_higher_priority_then_to_the_lower_index() -> None:
    assert apportion([1, 1, 1], [9, 9, 9], 4, [-1.0, -0.5, -1.0]) == [1, 2, 1]
    assert apportion([1, 1, 1], [9, 9, 9], 5, [-1.0, -0.5, -1.0]) == [2, 2, 1]
    assert apportion([1, 1, 1], [9, 9, 9], 4, [0, 0, 0]) == [2, 1, 1]


def test_what_a_full_group_cannot_take_is_shared_in_proportion() -> None:
    # 12 x (.5, .25, .25) = 6, 3, 3; the first holds 2 only: the other 10 in halves
    assert apportion([2, 1, 1], [2, 99, 99], 12, [0, 0, 0]) == [2, 5, 5]
    # twice over: 30 x (.5, .3, .2) = 15, 9, 6 -> 4, then 26 x (.6, .4) = 15.6, 10.4 -> 6, then 20
    assert apportion([5, 3, 2], [4, 6, 99], 30, [0, 0, 0]) == [4, 6, 20]


def test_no_weight_left_means_an_equal_share() -> None:
    assert apportion([0, 0, 0], [9, 9, 9], 6, [0, 0, 0]) == [2, 2, 2]
    assert apportion([1, 0, 0], [2, 9, 9], 8, [0, 0, 0]) == [2, 3, 3]


def test_the_budget_may_exceed_what_there_is() -> None:
    assert apportion([3, 1], [4, 5], 100, [0, 0]) == [4, 5]
    assert apportion([3, 1], [0, 0], 100, [0, 0]) == [0, 0]
    assert apportion([], [], 7, []) == []


def test_logarithms_keep_ratios_that_would_underflow() -> None:
    # e^-2000 and e^-2001 are both 0 in float64, yet the first is e times the second
    assert apportion_log([0.0, -2000.0, -2000.0 - math.log(3)], [2, 99, 99], 10, [0, 0, 0]) == [2, 6, 2]
    assert apportion_log([-math.inf, 0.0], [9, 3], 5, [0, 0]) == [2, 3]
    assert apportion_log([-math.inf, -math.inf], [9, 9], 4, [0, 0]) == [2, 2]
    assert apportion_log([1e6, 1e6], [9, 9], 4, [0, 0]) == [2, 2]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(groups, budgets)
def test_exact_sum_and_caps(rows: list[tuple[float, int, float]], budget: int) -> None:
    weights, caps, priority = zip(*rows, strict=True)
    quotas = apportion(weights, caps, budget, priority)
    assert sum(quotas) == min(budget, sum(caps))
    assert all(0 <= quota <= cap for quota, cap in zip(quotas, caps, strict=True))
    assert all(type(quota) is int for quota in quotas)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(groups, budgets, st.integers(0, 50))
def test_more_weight_and_priority_never_means_less(rows: list[tuple[float, int, float]], budget: int, cap: int) -> None:
    ranked = sorted(rows, key=lambda row: (row[0], row[2]))
    weights = [row[0] for row in ranked]
    quotas = apportion(weights, [cap] * len(ranked), budget, list(range(len(ranked))))
    assert quotas == sorted(quotas)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(groups, budgets)
def test_every_quota_is_within_one_token_of_its_exact_share(rows: list[tuple[float, int, float]], budget: int) -> None:
    weights = [row[0] + 1e-3 for row in rows]
    quotas = apportion(weights, [10**9] * len(rows), budget, [row[2] for row in rows])
    exact = [budget * weight / math.fsum(weights) for weight in weights]
    assert all(abs(quota - share) < 1 + 1e-6 for quota, share in zip(quotas, exact, strict=True))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(groups, budgets, st.randoms())
def test_the_order_of_the_groups_does_not_matter(
    rows: list[tuple[float, int, float]], budget: int, random: object
) -> None:
    numbered = [(weight, cap, float(i)) for i, (weight, cap, _) in enumerate(rows)]  # no ties left to the index
    mixed = list(numbered)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    def by_priority(order: list[tuple[float, int, float]]) -> dict[float, int]:
        weights, caps, priority = zip(*order, strict=True)
        return dict(zip(priority, apportion(weights, caps, budget, priority), strict=True))

    assert by_priority(numbered) == by_priority(mixed)


@pytest.mark.parametrize(
    ("weights", "caps", "budget", "priority", "message"),
    [
        ([1, -1], [1, 1], 1, [0, 0], "weights must be finite and >= 0"),
        ([1, math.nan], [1, 1], 1, [0, 0], "weights must be finite and >= 0"),
        ([1, math.inf], [1, 1], 1, [0, 0], "weights must be finite and >= 0"),
        ([1, 1], [1, -1], 1, [0, 0], "caps and budget >= 0"),
        ([1, 1], [1, 1], -1, [0, 0], "caps and budget >= 0"),
        ([1, 1], [1], 1, [0, 0], "expected one per group"),
        ([1], [1], 1, [0, 0], "expected one per group"),
    ],
)
def test_bad_input_is_named(
    weights: list[float], caps: list[int], budget: int, priority: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        apportion(weights, caps, budget, priority)


def _candidates(group: list[int], score: list[float], weight: list[float]) -> Candidates:
    tokens = toys.tokens(torch.arange(2), 0)[torch.arange(len(group))]
    return Candidates(tokens, torch.tensor(group, dtype=torch.long), torch.tensor(score), torch.tensor(weight), 1.0)


def test_worth_is_score_times_weight() -> None:
    assert worth(_candidates([5, 2, 5], [0.5, 0.25, 0.0], [0.5, 2.0, 0.5])).tolist() == [0.25, 0.5, 0.0]


def test_worth_lifts_only_groups_with_negative_scores() -> None:
    found = worth(_candidates([0, 0, 1, 1], [-3.0, 1.0, 2.0, 1.0], [0.5, 0.5, 1.0, 1.0]))
    assert found.tolist() == [0.0, 2.0, 2.0, 1.0]
    assert worth(_candidates([], [], [])).tolist() == []


@settings(max_examples=400, deadline=None, derandomize=True)
@given(groups, budgets, budgets)
def test_no_later_quota_is_more_than_at_most(
    given_groups: list[tuple[float, int, float]], first: int, then: int
) -> None:
    """Whatever groups join, and to whatever the budget falls: full groups hand on to those that were there before."""
    weights, caps, priority = (list(part) for part in zip(*given_groups, strict=True))
    quotas = apportion(weights, caps, min(first, then), priority)
    for there in range(1, len(caps) + 1):
        before = apportion(weights[:there], caps[:there], max(first, then), priority[:there])
        limits = at_most(before, caps[:there], max(first, then))
        assert all(quota <= limit for quota, limit in zip(quotas, limits, strict=False))


def test_at_most_is_one_more_within_cap_and_budget() -> None:
    assert at_most([0, 3, 9], [5, 3, 10], 12) == [1, 3, 10]
    assert at_most([0, 4], [5, 9], 4) == [1, 4]
