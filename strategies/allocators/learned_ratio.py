"""Keeps as much as QTSplus finds worth keeping: the share rho of every group's tokens, never more than n_max in all.

    n_g = ceil(rho_g M_g),   sum of n_g <= min(n_max, budget)

Where that is too much, all groups give up in proportion, by largest remainder. Reads the signal `rho`. Where the key
n_max says nothing it reads the signal `n_max`, the limit that the checkpoint was published or trained with. Source:
QTSplus (arXiv 2511.11910); its whole video is one group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from framework.core.interfaces import BudgetAllocator
from framework.core.types import Question, ScoredGroup
from framework.ops.apportion import apportion, at_most
from strategies.learned.qtsplus.budget import kept_count


@dataclass(frozen=True)
class LearnedRatio(BudgetAllocator):
    """Keeps the share of every group's tokens that QTSplus finds worth keeping.

    It keeps at least one token per group while the budget lasts. It may leave most of the budget unspent.
    """

    n_max: int | None

    saves = True

    def __post_init__(self) -> None:
        if self.n_max is not None and self.n_max < 1:
            raise ValueError(f"qtsplus.n_max must be at least 1, or null; got {self.n_max}")

    def allocate(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns the quotas [G], one per group. Raises ValueError where the scorer gives no `rho`."""
        if any("rho" not in group.signals for group in groups):
            raise ValueError(
                "allocator=learned_ratio keeps the share `rho` that scorer=qtsplus gives; this scorer has none"
            )
        wanted = self._wanted(groups)
        limits = [self.n_max] if self.n_max else [int(g.signals["n_max"]) for g in groups if "n_max" in g.signals]
        most = min(sum(wanted), budget, *limits)
        return apportion(wanted, wanted, most, [group.relevance.value for group in groups])

    def most(self, groups: Sequence[ScoredGroup], question: Question, budget: int) -> list[int]:
        """Returns, for each group, one token more than its quota would be now, and never more than its n_g.

        Weights are caps here: all groups keep one share of them, which falls as groups and limits are added.
        """
        return at_most(self.allocate(groups, question, budget), self._wanted(groups), budget)

    def _wanted(self, groups: Sequence[ScoredGroup]) -> list[int]:
        rho = torch.tensor([group.signals["rho"] for group in groups])
        return kept_count(rho, torch.tensor([group.usable for group in groups]), None).tolist()
