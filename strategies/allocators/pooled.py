"""One pool over all tokens: a group's quota is how many of its tokens are among the budget's best of the whole video.

Where scores compare across groups they are pooled as they are. Where they don't, a token's place in the pool is its
share of its group's softmax times the group's share of the budget,

    value[g, n] = softmax_n(score[g] / score_temperature)[n] x softmax_g(relevance / temperature)[g]

in logarithms. Ties go to the more relevant group, then to the lower index, then to the lower token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup


@dataclass(frozen=True)
class Pooled(BudgetAllocator):
    """Counts by group the best tokens of one pool, as many as the budget allows."""

    temperature: float
    score_temperature: float

    def __post_init__(self) -> None:
        for key in ("temperature", "score_temperature"):
            if not getattr(self, key) > 0:
                raise ValueError(f"allocator.{key} must be > 0, got {getattr(self, key)}")

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        values = [self._values(group) for group in groups]  # each f64 [usable]
        owner = np.repeat(np.arange(len(groups)), [len(one) for one in values])
        relevance = np.asarray([g.relevance.value for g in groups], dtype=np.float64)
        pool = np.concatenate([*values, np.empty(0)])
        best = np.lexsort((owner, -relevance[owner], -pool))[:budget]
        return np.bincount(owner[best], minlength=len(groups)).tolist()

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns, for each group, how many of its tokens are among the best now, or as good as the last of them.

        A token's place in the pool does not depend on other groups, so more of these only push tokens out.
        """
        values = [self._values(group) for group in groups]
        pool = np.concatenate([*values, np.empty(0)])
        outside = len(pool) - budget
        if outside <= 0 or budget == 0:
            return [min(len(one), budget) for one in values]
        last = np.partition(pool, outside)[outside]
        return [min(int((one >= last).sum()), budget) for one in values]

    def _values(self, group: ScoredGroup) -> np.ndarray:
        """f64 [usable]: the places of a group's tokens in the pool."""
        scores = group.scores[group.scores > -math.inf].double().cpu()
        if not group.comparable:
            scores = (scores / self.score_temperature).log_softmax(0) + group.relevance.value / self.temperature
        return scores.numpy()
