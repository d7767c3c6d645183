"""Spreads the kept tokens evenly over a group, whatever they show: the baseline that every scorer has to beat.

Token n of N (in raster order) is ranked by the fractional part of (n - N // 2) times the golden ratio. Those below a
threshold are the return times of a rotation to an interval: their distances take at most three values (Slater 1967),
so every top-k is spread evenly, and no stride locks onto one column of the picture, as a halving order would.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class UniformTokens(TokenScorer):
    """Ranks tokens in an evenly spread order: the score is N - rank, and the middle token comes first.

    It needs nothing.
    """

    before_tower = True

    def score(self, view: GroupView) -> Scores:
        """Returns a permutation of 1..N."""
        n = len(view.layout)
        fraction = ((torch.arange(n, dtype=torch.float64) - n // 2) * GOLDEN) % 1.0
        values = torch.empty(n, dtype=torch.float32)
        values[fraction.argsort(stable=True)] = torch.arange(n, 0, -1, dtype=torch.float32)
        return Scores(values)
