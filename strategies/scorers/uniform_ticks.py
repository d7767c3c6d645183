"""Keeps evenly spaced whole ticks, all others never: uniformly sampled frames, as many as the budget holds.

As many ticks as fit into the budget, positions like a linspace that includes both ends (a single one lies in the
middle). Meant for `splitter: whole`. The kept tokens tie, so a smaller quota takes them in raster order: with a budget
below one tick the first tokens of the middle tick are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView


@dataclass(frozen=True)
class UniformTicks(TokenScorer):
    """Keeps evenly spaced whole ticks: 0 for their tokens, -inf for the rest.

    It needs nothing, so only the kept ticks are decoded.
    """

    before_tower = True

    budget: int

    def __post_init__(self) -> None:
        if self.budget < 1:
            raise ValueError(f"scorer.budget must be >= 1 token, got {self.budget}")

    def score(self, view: GroupView) -> Scores:
        """Returns 0 or -inf per token."""
        ticks, place = view.layout.tick.unique(return_inverse=True)  # [Tg], [N]
        tokens_per_tick = math.ceil(len(place) / max(1, len(ticks)))
        kept = min(max(1, self.budget // max(1, tokens_per_tick)), len(ticks))
        if kept == 1:
            chosen = torch.tensor([len(ticks) // 2])
        else:
            chosen = (torch.arange(kept, dtype=torch.float64) * (len(ticks) - 1) / (kept - 1) + 0.5).floor().long()
        return Scores(torch.where(torch.isin(place.cpu(), chosen), 0.0, -math.inf))
