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
from typing import NoReturn

from torch import Tensor

from framework.core.errors import UsageError
from framework.core.interfaces import BudgetAllocator, TokenScorer
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion_log, at_most


@dataclass(frozen=True)
class Epsilon(BudgetAllocator):
    """Keeps of every group the fewest tokens that bring its error down to epsilon, while the budget lasts.

    What is not needed for that stays unspent.
    """

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

    def check(self, scorer: TokenScorer) -> None:
        """Checks that the scorer gives the error of every prefix, and down to epsilon.

        Raises UsageError where it does not.
        """
        if scorer.explains is None:
            self._no_errors(f"the scorer, {type(scorer).__name__},")
        if scorer.explains > self.epsilon:
            self._too_early(scorer.explains)

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group.

        Raises UsageError where errors are missing or do not come down to epsilon.
        """
        relevance = [group.relevance.value for group in groups]
        return apportion_log([value / self.temperature for value in relevance], self._wanted(groups), budget, relevance)

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns, for each group, one token more than its quota would be now, and never more than its n_g."""
        return at_most(self.allocate(groups, question, budget), self._wanted(groups), budget)

    def _wanted(self, groups: Sequence[ScoredGroup]) -> list[int]:
        return [min(group.usable, max(1, self._fewest(group.errors))) for group in groups]

    def _fewest(self, errors: Tensor | None) -> int:
        """The length of the shortest prefix within epsilon. UsageError where none is."""
        if errors is None:
            self._no_errors("this scorer")
        if bool(errors[-1] > self.epsilon):
            self._too_early(float(errors[-1]))
        return int((errors > self.epsilon).sum())

    def _no_errors(self, scorer: str) -> NoReturn:
        raise UsageError(
            f"allocator=epsilon reads the error of every prefix, which {scorer} does not give: choose "
            "scorer=reconstruction, or another allocator"
        )

    def _too_early(self, error: float) -> NoReturn:
        raise UsageError(
            f"allocator.epsilon={self.epsilon:g} cannot be met: the scorer stops at an error of {error:.4g}; set "
            "scorer.enough to at most allocator.epsilon, or to null"
        )
