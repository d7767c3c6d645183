"""The same share for every group, whatever it showed: FlexSelect's rule (arXiv 2506.00993), relevance's baseline.

What a short group cannot take goes to the others; tokens that don't divide go to the more relevant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion, at_most


@dataclass(frozen=True)
class Equal(BudgetAllocator):
    """Shares the budget equally: budget / G tokens per group."""

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        return apportion([1.0] * len(groups), [g.usable for g in groups], budget, [g.relevance.value for g in groups])

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns, for each group, one token more than its quota would be now, and never more than it has."""
        return at_most(self.allocate(groups, question, budget), [g.usable for g in groups], budget)
