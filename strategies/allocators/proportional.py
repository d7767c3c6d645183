"""Shares the budget in proportion to what each group taught the model: relevance above that of a uniform response.

    weight[g] = relevance[g] - min(-ln(number of options), lowest relevance seen)

so a group that leaves the model guessing gets nothing. For open-ended questions, whose uniform response has no fixed
value, the lowest relevance seen is the zero. The same shift serves a group below -ln(options): entropy over the whole
vocabulary can exceed that of the options. All weights zero: an equal share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion


@dataclass(frozen=True)
class Proportional(BudgetAllocator):
    """Shares the budget in proportion to relevance above a uniform response."""

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group."""
        relevance = [g.relevance.value for g in groups]
        uniform = [-math.log(len(question.options))] if question.options else []
        zero = min([*uniform, *relevance], default=0.0)
        return apportion([value - zero for value in relevance], [g.usable for g in groups], budget, relevance)
