"""What one question has seen: its shares are checked, its candidates are the best tokens in temporal order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framework.core.types import Group, Question
from framework.engine.question_state import QuestionState
from framework.testing import toys


def state(*relevances: float) -> QuestionState:
    groups = [toys.scored_group(index, 6, value, seed=index, refused=1) for index, value in enumerate(relevances)]
    return QuestionState(toys.QUESTION, remaining=[], visited=groups)


def test_the_best_tokens_of_every_group() -> None:
    asked = state(-0.1, -1.0, -1.3)
    asked.share_out([2, 0, 1], budget=3, overshoot=1.5, allocator="Equal")
    assert asked.quotas == [2, 0, 1] and set(asked.places) == {0, 2}
    for index, count in ((0, 3), (2, 2)):  # ceil(1.5 x quota)
        scores = asked.visited[index].scores
        wanted = scores.argsort(descending=True)[:count].sort().values
        assert torch.equal(asked.places[index], wanted)


@pytest.mark.parametrize(
    "quotas",
    [[2, 1], [2, 0, 2], [6, 0, 0], [-1, 2, 2]],
    ids=["too few", "more than the budget", "more than usable", "negative"],
)
def test_shares_that_break_the_contract(quotas: list[int]) -> None:
    with pytest.raises(ValueError, match=r"Careless shared a budget of 3 tokens as \[.*\(key: allocator\)"):
        state(-0.1, -1.0, -1.3).share_out(quotas, budget=3, overshoot=1.0, allocator="Careless")


def test_an_overshoot_over_the_budget_takes_other_counts_than_the_quotas() -> None:
    """Two of three groups have a quota; of 4 candidates in all the third group has one, too."""
    asked = state(-0.1, -1.0, -1.3)
    asked.share_out([2, 1, 0], budget=3, overshoot=1.5, allocator="Equal")
    asked.widen([2, 1, 1], candidates=4, allocator="Equal")
    assert asked.quotas == [2, 1, 0] and asked.weights == [0.5, 0.25, 0.25]
    assert {index: len(places) for index, places in asked.places.items()} == {0: 2, 1: 1, 2: 1}
    with pytest.raises(ValueError, match=r"Careless shared a budget of 4 tokens as \[4, 1, 0\]"):
        asked.widen([4, 1, 0], candidates=4, allocator="Careless")


def test_a_question_begins_with_nothing() -> None:
    question: Question = replace(toys.QUESTION, id="other")
    fresh = QuestionState(question, remaining=[Group(0, torch.arange(2))])
    assert not fresh.visited and not fresh.quotas and not fresh.places and len(fresh.remaining) == 1
