"""A group is as relevant as its best tokens: no response is decoded, so no layer behind the scorer's runs.

    value = mean of the k highest scores

With attention as the scorer: where nothing answers, attention stays on the text, and what answers draws it. So the
scores must mean the same in every group, as shares of full rows of attention in groups of one size do. Ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs


@dataclass(frozen=True)
class Peak(RelevanceEstimator):
    """Takes the mean of a group's highest scores."""

    tokens: int

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"relevance.tokens must be >= 1, got {self.tokens}")

    @property
    def needs(self) -> Needs:
        """Asks for the scorer's scores."""
        return Needs(scores=True)

    def relevance(self, view: GroupView) -> Relevance:
        """Returns the mean as value and as raw value, in units of the score.

        It is taken over fewer tokens where fewer may be kept, and is 0 where none may.
        """
        scores = view.scores.values
        allowed = scores[scores > -math.inf].double()
        best = float(allowed.topk(min(self.tokens, len(allowed))).values.mean()) if len(allowed) else 0.0
        return Relevance(best, best, "score")
