"""The most relevant group speaks."""

from __future__ import annotations

import torch

from framework.core.types import Answer, Group, Relevance, ScoredGroup
from strategies.answerers.best_group import BestGroup


def seen(index: int, relevance: float, text: str) -> ScoredGroup:
    group = Group(index, torch.tensor([index]))
    return ScoredGroup(group, torch.zeros(1), Relevance(relevance, -relevance, "nats"), answer=Answer(text))


def never() -> Answer:
    raise AssertionError("the last pass was run")


def test_the_highest_relevance_answers_without_a_last_pass() -> None:
    groups = [seen(0, -1.2, "A"), seen(1, -0.1, "B"), seen(2, -0.5, "C")]
    assert BestGroup().answer(groups, never).text == "B"
    assert BestGroup().needs.logits


def test_a_tie_goes_to_the_lower_index_in_any_visiting_order() -> None:
    groups = [seen(4, -0.1, "late"), seen(1, -0.1, "early"), seen(0, -1.0, "unsure")]
    assert BestGroup().answer(groups, never).text == "early"
    assert BestGroup().answer(groups[::-1], never).text == "early"
