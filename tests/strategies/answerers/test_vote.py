"""Votes counted by hand, and that they stay probabilities."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Answer, Group, Relevance, ScoredGroup
from strategies.answerers.vote import Vote


def seen(index: int, relevance: float, answer: Answer) -> ScoredGroup:
    group = Group(index, torch.tensor([index]))
    return ScoredGroup(group, torch.zeros(1), Relevance(relevance, -relevance, "nats"), answer=answer)


def never() -> Answer:
    raise AssertionError("the last pass was run")


def test_weights_of_one_to_three_by_hand() -> None:
    """At temperature 2 a difference of 2 ln 3 in relevance is a factor of 3: p = (.9 + 3 x .3, .1 + 3 x .7) / 4."""
    groups = [seen(0, -2 * math.log(3), Answer("A", 0, (0.9, 0.1))), seen(1, 0.0, Answer("B", 1, (0.3, 0.7)))]
    found = Vote(2.0).answer(groups, never)
    assert (found.text, found.choice) == ("B", 1)
    assert found.probabilities == pytest.approx((0.45, 0.55))


def test_temperature_decides_between_the_best_group_and_the_majority() -> None:
    groups = [seen(i, -0.3, Answer("A", 0, (1.0, 0.0))) for i in range(3)] + [seen(3, 0.0, Answer("B", 1, (0.0, 1.0)))]
    assert Vote(0.05).answer(groups, never).text == "B"
    assert Vote(5.0).answer(groups, never).text == "A"


def test_an_option_that_nobody_chose_may_win_as_everybodys_second() -> None:
    groups = [seen(0, 0.0, Answer("A", 0, (0.6, 0.4, 0.0))), seen(1, 0.0, Answer("C", 2, (0.0, 0.4, 0.6)))]
    assert Vote(1.0).answer(groups, never).text == "B"


def test_open_answers_are_added_by_their_words() -> None:
    groups = [seen(0, -0.1, Answer("a moon")), seen(1, -0.3, Answer("A  star")), seen(2, -0.2, Answer("a star"))]
    assert Vote(1.0).answer(groups, never) == Answer("a star")  # in the words of its more certain group
    assert Vote(0.01).answer(groups, never).text == "a moon"


def test_ties_go_to_the_lower_option_and_the_lower_group_in_any_visiting_order() -> None:
    choices = [seen(1, 0.0, Answer("B", 1, (0.0, 1.0))), seen(0, 0.0, Answer("A", 0, (1.0, 0.0)))]
    words = [seen(1, 0.0, Answer("later")), seen(0, 0.0, Answer("sooner"))]
    assert Vote(1.0).answer(choices, never).choice == 0
    assert Vote(1.0).answer(words, never).text == Vote(1.0).answer(words[::-1], never).text == "sooner"


@settings(max_examples=40, deadline=None)
@given(
    relevance=st.lists(st.floats(-12.0, 0.0), min_size=1, max_size=12),
    temperature=st.floats(0.01, 10.0),
    data=st.data(),
)
def test_probabilities_sum_to_one_whatever_the_order(
    relevance: list[float], temperature: float, data: st.DataObject
) -> None:
    groups = []
    for index, value in enumerate(relevance):
        odds = data.draw(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4))
        shares = tuple(odd / sum(odds) for odd in odds)
        groups.append(seen(index, value, Answer("?", shares.index(max(shares)), shares)))
    found = Vote(temperature).answer(groups, never)
    assert sum(found.probabilities) == pytest.approx(1.0)
    assert found.choice == found.probabilities.index(max(found.probabilities))
    assert Vote(temperature).answer(groups[::-1], never) == found


def test_needs_and_bad_keys() -> None:
    assert Vote(1.0).needs.logits
    with pytest.raises(ValueError, match=r"answerer\.temperature must be > 0, got 0"):
        Vote(0)
