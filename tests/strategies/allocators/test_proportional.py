"""Quotas in proportion to relevance above a uniform response."""

from __future__ import annotations

import math

from framework.core.types import Question
from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.proportional import Proportional


def _quotas(relevances: list[float], budget: int, question: Question = toys.QUESTION) -> list[int]:
    groups = [toys.scored_group(i, 100, relevance) for i, relevance in enumerate(relevances)]
    return Proportional().allocate(groups, question, budget)


def test_contract() -> None:
    check_allocator(Proportional())


def test_a_uniform_response_to_four_options_is_the_zero() -> None:
    uniform = -math.log(4)
    assert _quotas([0.0, uniform / 2, uniform], 30) == [20, 10, 0]


def test_below_uniform_the_lowest_is_the_zero() -> None:
    assert _quotas([-1.0, -2.0, -3.0], 30) == [20, 10, 0]


def test_an_open_question_has_the_lowest_relevance_as_zero() -> None:
    assert _quotas([-1.0, -5.0, -9.0], 30, toys.OPEN_QUESTION) == [20, 10, 0]


def test_nothing_to_choose_by_means_equal_shares() -> None:
    assert _quotas([-math.log(4)] * 3, 30) == [10, 10, 10]
    assert _quotas([-2.0, -2.0], 10, toys.OPEN_QUESTION) == [5, 5]
    assert Proportional().allocate([], toys.OPEN_QUESTION, 10) == []
