"""The model answers from the selected tokens of the whole video, in one last pass. AdaptToken, FlexSelect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from framework.core.interfaces import Answerer
from framework.core.types import Answer, ScoredGroup


@dataclass(frozen=True)
class Final(Answerer):
    """Answers with one pass over the selection."""

    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """Returns what `final` says."""
        return final()
