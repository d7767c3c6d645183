"""Shares the budget by a softmax over the groups' relevance: AdaptToken's rule (arXiv 2603.28696).

    quota[g] = budget x exp(relevance[g] / temperature) / sum over groups of exp(relevance / temperature)

Temperature to infinity is an equal share; temperature to 0 fills the most relevant group, then the next. What a full
group cannot take goes to the others in the same proportions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion, apportion_log, at_most


@dataclass(frozen=True)
class Softmax(BudgetAllocator):
    """Shares the budget by softmax(relevance / temperature), after `minimum` tokens for every group while they last."""

    temperature: float
    minimum: int

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"allocator.temperature must be > 0 nats, got {self.temperature}")
        if self.minimum < 0:
            raise ValueError(f"allocator.minimum must be >= 0 tokens, got {self.minimum}")

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        relevance = [g.relevance.value for g in groups]
        usable = [g.usable for g in groups]
        first = apportion([1.0] * len(groups), [min(self.minimum, cap) for cap in usable], budget, relevance)
        rest = [cap - given for cap, given in zip(usable, first, strict=True)]
        shares = apportion_log([r / self.temperature for r in relevance], rest, budget - sum(first), relevance)
        return [given + share for given, share in zip(first, shares, strict=True)]

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns, for each group, one token more than its quota would be now, and never more than it has.

        While the budget holds all minima they stay as they are, and less is left of it with every group: `at_most`
        holds for the rest. Where it does not hold them the rest is nothing, and `at_most` holds for the minima: a group
        gets no more of them than it got, rounded up, when there were fewer.
        """
        return at_most(self.allocate(groups, question, budget), [g.usable for g in groups], budget)
