"""Enough when the certain groups have tokens enough to fill the budget.

    stop  <=>  sum of usable tokens over {g visited: H_g <= entropy}  >=  share x budget

Counts evidence in tokens instead of groups, so the rule keeps its meaning when groups or budgets change size. With
a group larger than the budget a `share` of 1 stops at the first certain group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class Coverage(StoppingPolicy):
    """Stops when the certain groups have `share` times the budget in usable tokens."""

    budget: int
    share: float
    entropy: float

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ValueError(f"stopping.budget must be >= 1 token, got {self.budget} (key: budget)")
        if self.share <= 0:
            raise ValueError(f"stopping.share must be > 0, got {self.share}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, for the entropy."""
        return Needs(logits=True)

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether the certain groups fill the budget."""
        certain = sum(seen.usable for seen in visited if seen.signals["entropy"] <= self.entropy)
        return certain >= self.share * self.budget
