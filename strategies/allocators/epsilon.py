"""Keeps of every group the fewest tokens that explain it up to an error that the user names; the budget is a cap.

    n_g = smallest k >= 1 with error_g(k) <= epsilon,   error_g(0) = 1: keeping nothing

Where the budget is less than all of these together, it is shared as AdaptToken (arXiv 2603.28696) shares it, in
proportion to exp(relevance / temperature), no group getting more than its n_g. Reads the error curve of a scorer that
reconstructs. Source of the rule: AutoGaze (arXiv 2603.12254), with a relative error in place of its loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from framework.apportion import apportion_log
from framework.interfaces import BudgetAllocator
from framework.types import Question, ScoredGroup


@dataclass(frozen=True)
class Epsilon(BudgetAllocator):
    """Every group within epsilon, while the budget lasts; leaves unspent what is not needed for that."""

    epsilon: float
    temperature: float

    saves = True

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise ValueError(
                f"allocator.epsilon must be an error within (0, 1], as a share of that of keeping nothing; got "
                f"{self.epsilon}"
            )
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"allocator.temperature must be > 0 nats, got {self.temperature}")

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Quotas [G]."""
        relevance = [group.relevance.value for group in groups]
        wanted = [min(group.usable, max(1, self._fewest(group.errors))) for group in groups]
        return apportion_log([value / self.temperature for value in relevance], wanted, budget, relevance)

    def _fewest(self, errors: Tensor | None) -> int:
        """The length of the shortest prefix within epsilon."""
        if errors is None:
            raise ValueError(
                "allocator=epsilon reads the error of every prefix, which this scorer does not give: choose "
                "scorer=reconstruction"
            )
        if bool(errors[-1] > self.epsilon):
            raise ValueError(
                f"allocator.epsilon={self.epsilon:g} cannot be met: the scorer stopped at an error of "
                f"{float(errors[-1]):.4g}; lower scorer.enough, or set it to null"
            )
        return int((errors > self.epsilon).sum())
