"""Keeps the candidates as they are: the plain top-k of every group. Of more than the budget, the best survive."""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection
from framework.ops.apportion import worthiest


@dataclass(frozen=True)
class Unrefined(TokenRefiner):
    """Keeps at most `budget` candidates, by score x group weight, ties to the earlier place.

    Nothing is over-selected.
    """

    @property
    def overshoot(self) -> float:  # type: ignore[override]
        """Returns 1: as many candidates as the budget."""
        return 1.0

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection [K]."""
        return Selection.of(candidates, worthiest(candidates, budget), budget)
