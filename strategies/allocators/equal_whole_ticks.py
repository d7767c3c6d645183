"""The same count for every group, from a budget of whole ticks: FlexSelect's published arithmetic (arXiv 2506.00993).

    budget' = budget rounded up to whole ticks,   k = floor(budget' / G)

7,040 tokens of a video with 209 a tick become 7,106 = 34 ticks, and each of 8 groups gets 888; 2 tokens stay unspent. A
video that fits is kept whole. `equal` keeps the budget as it is and spends all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion


@dataclass(frozen=True)
class EqualWholeTicks(BudgetAllocator):
    """Shares a budget of whole ticks: floor(budget / G) tokens per group.

    With fewer tokens than groups that would be none at all: then the most relevant groups get one each.
    """

    saves = True

    def rounded(self, budget: int, tokens_per_tick: int) -> int:
        """Returns the smallest multiple of `tokens_per_tick` that is not below `budget`."""
        return -(-budget // tokens_per_tick) * tokens_per_tick

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        usable = [group.usable for group in groups]
        each = budget // len(groups)
        if budget >= sum(usable):
            return usable
        if each:
            return [min(each, cap) for cap in usable]
        return apportion([1.0] * len(groups), usable, budget, [group.relevance.value for group in groups])
