"""The few most relevant groups share the budget equally, the others get nothing: a hard choice, not a weighting.

What the first n groups cannot take goes to the n next relevant ones, and so on, so that the budget is always spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion


@dataclass(frozen=True)
class TopGroups(BudgetAllocator):
    """Shares the budget equally between the n most relevant groups. Ties go to the lower index."""

    groups: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"allocator.groups must be >= 1, got {self.groups}")

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        quotas = [0] * len(groups)
        ranking = sorted(range(len(groups)), key=lambda i: (-groups[i].relevance.value, i))
        for start in range(0, len(ranking), self.groups):
            block = ranking[start : start + self.groups]
            caps, relevance = [groups[i].usable for i in block], [groups[i].relevance.value for i in block]
            shares = apportion([1.0] * len(block), caps, budget - sum(quotas), relevance)
            for i, share in zip(block, shares, strict=True):
                quotas[i] = share
        return quotas
