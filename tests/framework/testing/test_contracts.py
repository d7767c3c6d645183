"""The conformance kit finds what it says it finds: each broken strategy fails with the sentence that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from framework.core.interfaces import GroupScheduler, GroupSplitter, RelevanceEstimator, StoppingPolicy, TokenScorer
from framework.core.types import Group, Relevance, ScoredGroup, Scores
from framework.core.view import GroupView, Needs
from framework.testing.contracts import (
    ContractBroken,
    check_relevance,
    check_scheduler,
    check_scorer,
    check_splitter,
    check_stopping,
)


@dataclass(frozen=True)
class Scorer(TokenScorer):
    """Scores all tokens alike, or breaks one rule."""

    breaks: str = ""

    @property
    def before_tower(self) -> bool:  # type: ignore[override]
        return self.breaks == "early"

    @property
    def before_probe(self) -> bool:  # type: ignore[override]
        return self.breaks == "late"

    @property
    def blind(self) -> bool:  # type: ignore[override]
        return self.breaks == "blind"

    @property
    def needs(self) -> Needs:
        return Needs(tokens=self.breaks == "early", logits=self.breaks == "late")

    def score(self, view: GroupView) -> Any:
        values = torch.zeros(len(view.layout))
        if self.breaks == "needs":
            return Scores(view.tokens.embeddings[:, 0])
        if self.breaks == "tensor":
            return values
        if self.breaks == "blind":
            values += len(view.question.options)
        return Scores(
            values - torch.inf if self.breaks == "refuses" else values[: len(values) - (self.breaks == "few")]
        )


def test_a_good_scorer_passes() -> None:
    check_scorer(Scorer())


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        ("needs", r"Scorer: reads only what its `needs` declare: view\.tokens was not asked for.*Needs\(tokens=True\)"),
        ("tensor", r"Scorer: score returns framework\.Scores, got Tensor"),
        ("few", "one score per token"),
        ("refuses", "at least one token may be kept"),
        ("early", r"before_tower: .*it needs \['tokens'\]"),
        ("late", "before_probe: it is asked before the language model"),
        ("blind", "another question changes nothing"),
    ],
)
def test_a_scorer_that_breaks_its_contract(breaks: str, said: str) -> None:
    with pytest.raises(ContractBroken, match=said):
        check_scorer(Scorer(breaks))


class Backwards(RelevanceEstimator):
    """Likes uncertain groups."""

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        value = -float(view.probe.logits[0].max())
        return Relevance(value, value, "logit")


def test_an_estimator_that_likes_uncertainty() -> None:
    with pytest.raises(ContractBroken, match="a certain response is not less relevant"):
        check_relevance(Backwards())


class Loses(GroupSplitter):
    """Leaves out the last tick."""

    def split(self, timeline: Any) -> list[Group]:
        return [Group(0, torch.arange(max(1, len(timeline) - 1)))]


class Foreign(GroupScheduler):
    """Returns a group that nobody offered."""

    def next(self, visited: Any, remaining: Any) -> Group:
        return replace(remaining[0], index=99)


def test_a_splitter_and_a_scheduler() -> None:
    with pytest.raises(ContractBroken, match="in exactly one group"):
        check_splitter(Loses())
    with pytest.raises(ContractBroken, match="returns one of `remaining`"):
        check_scheduler(Foreign())


def test_a_policy_that_says_it_never_stops_and_does() -> None:
    class Third(StoppingPolicy):
        def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
            return len(visited) == 3

    class Hasty(Third):
        stops = False

    check_stopping(Third())
    with pytest.raises(ContractBroken, match=r"Hasty: .* never enough"):
        check_stopping(Hasty())
