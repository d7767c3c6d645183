"""Averages another scorer's scores over neighbouring ticks at the same place: evidence lasts, noise does not.

Neighbours are the ticks next to each other in the group; at its ends, and beside tokens that the inner scorer bars with
-inf, the mean is taken over what is left. Barred tokens stay barred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool1d

from framework.core.interfaces import ScorerAround
from framework.core.types import Scores
from framework.core.view import GroupView


@dataclass(frozen=True)
class Smoothed(ScorerAround):
    """Averages the inner scores over neighbouring ticks: f32 [N]. They are comparable if the inner scores are."""

    width: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.width % 2 == 0:
            raise ValueError(f"scorer.width must be an odd number of ticks >= 1, got {self.width}")

    def score(self, view: GroupView) -> Scores:
        """Averages the inner scores over `width` ticks."""
        found, layout = self.inner.score(view), view.layout
        values = found.values.cpu().double()
        allowed = values > -math.inf
        _, tick = layout.tick.cpu().unique(return_inverse=True)
        places, place = torch.stack([layout.row, layout.column]).cpu().unique(dim=1, return_inverse=True)
        grid = torch.zeros(2, places.shape[1], int(tick.max()) + 1 if len(tick) else 1, dtype=torch.float64)
        grid[0, place[allowed], tick[allowed]] = values[allowed]  # [2, rows x columns, Tg]: sums, then counts
        grid[1, place[allowed], tick[allowed]] = 1.0
        sums, counts = avg_pool1d(grid, self.width, stride=1, padding=self.width // 2)
        smooth = (sums / counts)[place, tick].float()
        return Scores(torch.where(allowed, smooth, -math.inf), signals=found.signals)
