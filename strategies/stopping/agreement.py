"""Enough when certain groups agree on the answer, and those that disagree are too few to matter.

    n(a) = #{g visited: H_g <= entropy, g answers a}
    stop  <=>  n(best) >= groups  and  n(best) - n(second) >= lead

A group without evidence is now and then certain all the same, and then says anything: such groups seldom agree with
one another, while groups that hold the evidence do. The lead makes every certain contradiction cost one more
agreeing group. Answers are options, or the group's own words (case and spaces aside) for open-ended questions. It
cannot see a bias that makes empty groups agree. Source: own; consensus as in SeViCES (arXiv 2510.20622).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class Agreement(StoppingPolicy):
    """Stops when `groups` certain groups give one answer, at least `lead` more than give any other."""

    groups: int
    entropy: float
    lead: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"stopping.groups must be >= 1, got {self.groups} (stopping=never looks at everything)")
        if self.lead < 0:
            raise ValueError(f"stopping.lead must be >= 0 groups, got {self.lead}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, for the entropy and the groups' own answers."""
        return Needs(logits=True)

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether enough certain groups agree."""
        votes = Counter(_said(seen) for seen in visited if seen.signals["entropy"] <= self.entropy)
        best, second = ([count for _, count in votes.most_common(2)] + [0, 0])[:2]
        return best >= self.groups and best - second >= self.lead


def _said(seen: ScoredGroup) -> float | str:
    if "top_option" in seen.signals:
        return seen.signals["top_option"]
    assert seen.answer is not None, "a group that was probed with logits has an answer"
    return " ".join(seen.answer.text.casefold().split())
