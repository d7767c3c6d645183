"""Means of the highest scores by hand."""

from __future__ import annotations

import math

import pytest
import torch

from framework.core.types import Group, Layout, Question, Scores
from framework.core.view import GroupView, MissingNeed, Needs
from strategies.relevance.peak import Peak

NOTHING = torch.zeros(1, dtype=torch.long)


def view(scores: list[float] | None) -> GroupView:
    layout = Layout(NOTHING, NOTHING, NOTHING, (28, 28))
    shown = None if scores is None else Scores(torch.tensor(scores))
    return GroupView(Group(0, NOTHING), Question("q", "Who ?", "Who ?"), layout, NOTHING.double(), shown_scores=shown)


@pytest.mark.parametrize(
    ("scores", "tokens", "value"),
    [
        ([0.1, 0.5, 0.3, 0.2], 1, 0.5),
        ([0.1, 0.5, 0.3, 0.2], 2, 0.4),
        ([0.1, 0.5], 4, 0.3),  # fewer than asked for
        ([-math.inf, 0.5, -math.inf, 0.2], 2, 0.35),  # what may not be kept does not count
        ([-math.inf], 2, 0.0),
        ([-3.0, -1.0], 1, -1.0),
    ],
)
def test_the_mean_of_the_best(scores: list[float], tokens: int, value: float) -> None:
    found = Peak(tokens).relevance(view(scores))
    assert found.value == found.raw == pytest.approx(value) and found.unit == "score"


def test_it_needs_scores_and_no_response() -> None:
    assert Peak(1).needs == Needs(scores=True) and not Peak(1).needs.probe
    with pytest.raises(MissingNeed, match=r"view\.scores was not asked for: declare needs = Needs\(scores=True\)"):
        Peak(1).relevance(view(None))


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"relevance\.tokens must be >= 1, got 0"):
        Peak(0)
