"""Products of probabilities by hand, and what cannot be multiplied."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Answer, Group, Relevance, ScoredGroup
from framework.core.view import Needs
from strategies.answerers.blend import Blend
from strategies.answerers.vote import Vote


def seen(index: int, relevance: float, answer: Answer) -> ScoredGroup:
    group = Group(index, torch.tensor([index]))
    return ScoredGroup(group, torch.zeros(1), Relevance(relevance, -relevance, "nats"), answer=answer)


GROUPS = [seen(0, 0.0, Answer("A", 0, (0.8, 0.2)))]
LAST = Answer("B", 1, (0.4, 0.6), 0.7)


def test_even_shares_multiply_and_take_the_root() -> None:
    """sqrt(.4 x .8) : sqrt(.6 x .2) = .5657 : .3464."""
    found = Blend(1.0, 0.5).answer(GROUPS, lambda: LAST)
    assert (found.text, found.choice, found.entropy) == ("A", 0, 0.7)
    assert found.probabilities == pytest.approx((0.6202, 0.3798), abs=1e-4)


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0.4, 0.6)), (1.0, (0.8, 0.2))])
def test_a_whole_share_is_that_reading_alone(share: float, expected: tuple[float, float]) -> None:
    assert Blend(1.0, share).answer(GROUPS, lambda: LAST).probabilities == pytest.approx(expected)


def test_groups_that_know_nothing_change_no_answer() -> None:
    even = [seen(i, -math.log(2), Answer("A", 0, (0.5, 0.5))) for i in range(3)]
    assert Blend(1.0, 0.5).answer(even, lambda: LAST).choice == 1


def test_an_option_that_one_reading_rules_out_may_still_win() -> None:
    sure = [seen(0, 0.0, Answer("A", 0, (1.0, 0.0)))]
    found = Blend(1.0, 0.5).answer(sure, lambda: Answer("B", 1, (1e-12, 1.0)))
    assert found.probabilities == pytest.approx((0.5, 0.5))


def test_open_answers_are_the_last_pass_alone() -> None:
    said = Answer("a star")
    assert Blend(1.0, 0.5).answer([seen(0, 0.0, Answer("a moon"))], lambda: said) is said


def test_needs_and_values_out_of_range() -> None:
    assert Blend(1.0, 0.5).needs == Needs(logits=True)
    with pytest.raises(ValueError, match=r"answerer\.share must lie within 0\.\.1, got 1\.5"):
        Blend(1.0, 1.5)
    with pytest.raises(ValueError, match=r"answerer\.temperature must be > 0"):
        Blend(0.0, 0.5)


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0.0, 1.0), weights=st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(sum))
def test_probabilities_stay_probabilities(share: float, weights: list[float]) -> None:
    answer = Answer("A", 0, tuple(w / sum(weights) for w in weights))
    groups = [seen(0, -0.2, Answer("C", 2, (0.0, 0.0, 1.0))), seen(1, -0.4, answer)]
    found = Blend(0.3, share).answer(groups, lambda: answer)
    assert sum(found.probabilities) == pytest.approx(1.0) and min(found.probabilities) >= 0
    if share == 1:
        assert found.choice == Vote(0.3).answer(groups, lambda: answer).choice
