"""The best tokens of another scorer, and a language model that sees no others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framework.core.interfaces import TokenScorer
from framework.core.types import Layout, Scores
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.shortlist import Shortlist


@dataclass(frozen=True)
class Given(TokenScorer):
    """Says what it was told."""

    values: tuple[float, ...]
    attention: tuple[int, ...] = ()

    @property
    def needs(self) -> Needs:
        return Needs(tokens=True, attention=self.attention)

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.tensor(self.values), {"heard": 1.0})

    def flops(self, view: GroupView) -> float:
        return 3.0 * len(view.layout)


def _view(count: int) -> GroupView:
    zeros = torch.zeros(count, dtype=torch.long)
    return replace(toys.view(Needs()), layout=Layout(torch.arange(count), zeros, zeros, (8, 8)))


def test_the_best_keep_their_scores_and_all_others_are_refused() -> None:
    scorer = Shortlist(Given((0.5, 3.0, -1.0, 3.0, 0.5)), share=0.5)
    found = scorer.score(_view(5))
    assert found.values.tolist() == [0.5, 3.0, -math.inf, 3.0, -math.inf]
    assert found.signals == {"heard": 1.0}
    assert scorer.flops(_view(5)) == 15.0 and scorer.needs == Needs(tokens=True)
    assert scorer.before_probe and not scorer.before_tower and not scorer.comparable and not scorer.blind


@given(st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 0.25, 2.0]), min_size=1, max_size=12), st.integers(1, 12))
def test_a_list_holds_the_best_that_were_not_refused(values: list[float], count: int) -> None:
    count = min(count, len(values))
    listed = Shortlist(Given(tuple(values)), share=count / len(values)).score(_view(len(values))).values.tolist()
    allowed = sorted((value for value in values if value > -math.inf), reverse=True)
    assert sorted((value for value in listed if value > -math.inf), reverse=True) == allowed[:count]
    assert all(new in (old, -math.inf) for new, old in zip(listed, values, strict=True))


def test_a_list_without_tokens_and_one_that_saves_no_pass_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scorer\.share must lie within 0\.\.1, above 0, got 0"):
        Shortlist(Given(()), share=0)
    with pytest.raises(ValueError, match=r"scorer\.inner=Given reads a pass .* scorer@scorer\.inner=qtsplus"):
        Shortlist(Given((), attention=(2,)), share=0.5)
