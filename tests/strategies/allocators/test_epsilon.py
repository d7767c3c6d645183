"""The fewest tokens within epsilon, by counting; how a short budget is shared; refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.errors import UsageError
from framework.core.interfaces import TokenScorer
from framework.core.types import ScoredGroup, Scores
from framework.core.view import GroupView
from framework.testing import toys
from strategies.allocators.epsilon import Epsilon
from strategies.allocators.softmax import Softmax


def group(index: int, errors: list[float], relevance: float = -1.0) -> ScoredGroup:
    return replace(toys.scored_group(index, len(errors) - 1, relevance), errors=torch.tensor(errors))


FALLING = [1.0, 0.5, 0.3, 0.1, 0.1, 0.04, 0.0]


@pytest.mark.parametrize(
    ("epsilon", "expected"),
    [(1.0, 1), (0.5, 1), (0.49, 2), (0.3, 2), (0.1, 3), (0.0999, 5), (0.04, 5), (0.03, 6), (1e-9, 6)],
)
def test_the_shortest_prefix(epsilon: float, expected: int) -> None:
    assert Epsilon(epsilon, 1.0).allocate([group(0, FALLING)], toys.QUESTION, 99) == [expected]


def test_every_group_has_its_own_need() -> None:
    groups = [group(0, FALLING), group(1, [1.0, 0.02, 0.0]), group(2, [1.0, 0.9, 0.8, 0.7, 0.0]), group(3, [0.0, 0.0])]
    assert Epsilon(0.1, 1.0).allocate(groups, toys.QUESTION, 99) == [3, 1, 4, 1]  # one token at least


def test_a_short_budget_goes_by_relevance_and_nobody_gets_more_than_it_needs() -> None:
    groups = [group(0, FALLING, math.log(0.8)), group(1, FALLING, math.log(0.2)), group(2, FALLING, math.log(0.2))]
    assert Epsilon(0.1, 1.0).allocate(groups, toys.QUESTION, 9) == [3, 3, 3]
    assert Epsilon(0.1, 1.0).allocate(groups, toys.QUESTION, 5) == [3, 1, 1]  # 4 : 1 : 1, and three are enough
    assert Epsilon(0.1, 0.01).allocate(groups, toys.QUESTION, 4) == [3, 1, 0]
    assert Epsilon(0.1, 1e6).allocate(groups, toys.QUESTION, 6) == [2, 2, 2]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.floats(-1.38, 0.0)), min_size=1, max_size=6),
    st.floats(0.001, 1.0),
    st.integers(1, 120),
)
def test_within_epsilon_or_within_budget(made: list[tuple[int, float]], epsilon: float, budget: int) -> None:
    groups = [toys.scored_group(i, size, relevance, seed=i) for i, (size, relevance) in enumerate(made)]
    quotas = Epsilon(epsilon, 0.5).allocate(groups, toys.QUESTION, budget)
    wanted = []
    for one in groups:
        assert one.errors is not None
        met = [k for k, left in enumerate(one.errors.tolist()) if k and left <= epsilon + 1e-7]
        wanted.append(met[0])
    assert sum(quotas) == min(budget, sum(wanted))
    assert all(quota <= most for quota, most in zip(quotas, wanted, strict=True))
    if sum(wanted) <= budget:
        assert quotas == wanted


def test_asked_for_no_error_it_is_softmax() -> None:
    groups = [toys.scored_group(i, 20, -0.3 * i, seed=i) for i in range(4)]
    for budget in (7, 30, 79):
        expected = Softmax(0.4, 0).allocate(groups, toys.QUESTION, budget)
        assert Epsilon(1e-9, 0.4).allocate(groups, toys.QUESTION, budget) == expected


def test_refused_tokens_are_not_wanted() -> None:
    none = replace(toys.scored_group(0, 4, -1.0, refused=4), errors=torch.zeros(1))
    assert Epsilon(0.1, 1.0).allocate([none, group(1, FALLING)], toys.QUESTION, 9) == [0, 3]


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.0001, math.nan, math.inf])
def test_an_error_that_cannot_be(epsilon: float) -> None:
    with pytest.raises(ValueError, match=r"allocator.epsilon must be an error within \(0, 1\]"):
        Epsilon(epsilon, 1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_cannot_be(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"allocator.temperature must be > 0"):
        Epsilon(0.1, temperature)


def test_a_scorer_without_errors_or_with_too_large_ones_is_told() -> None:
    with pytest.raises(UsageError, match="choose scorer=reconstruction"):
        Epsilon(0.1, 1.0).allocate([replace(group(0, FALLING), errors=None)], toys.QUESTION, 5)
    stopped = replace(group(0, FALLING), errors=torch.tensor([1.0, 0.5, 0.2]))
    assert Epsilon(0.2, 1.0).allocate([stopped], toys.QUESTION, 5) == [2]
    with pytest.raises(UsageError, match=r"stops at an error of 0.2; set scorer.enough to at most allocator.epsilon"):
        Epsilon(0.1, 1.0).allocate([stopped], toys.QUESTION, 5)


class Explaining(TokenScorer):
    def __init__(self, explains: float | None) -> None:
        self.explains = explains

    def score(self, view: GroupView) -> Scores:
        raise NotImplementedError


def test_a_scorer_is_checked_before_it_scores() -> None:
    Epsilon(0.1, 1.0).check(Explaining(0.1))
    Epsilon(1e-9, 1.0).check(Explaining(0.0))
    with pytest.raises(UsageError, match=r"allocator=epsilon .* the scorer, Explaining, does not give: .*scorer=recon"):
        Epsilon(1.0, 1.0).check(Explaining(None))
    with pytest.raises(
        UsageError, match=r"allocator.epsilon=0.1 cannot .* stops at an error of 0.11; set scorer.enough"
    ):
        Epsilon(0.1, 1.0).check(Explaining(0.11))
