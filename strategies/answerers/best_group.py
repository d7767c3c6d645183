"""The most relevant group's own answer: no last pass, and nothing that needs two groups can be answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framework.core.interfaces import Answerer
from framework.core.types import Answer, ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class BestGroup(Answerer):
    """Gives the answer of the group with the highest relevance. Ties go to the lower index."""

    @property
    def needs(self) -> Needs:
        """Asks for response logits, from which a group's own answer is read."""
        return Needs(logits=True)

    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """Returns an answer that exists already. `final` is never called."""
        best = max(groups, key=lambda seen: (seen.relevance.value, -seen.group.index))
        assert best.answer is not None, "a group that was probed with logits has an answer"
        return best.answer
