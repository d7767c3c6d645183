"""Look next where the neighbours were relevant, or where nobody has looked: an upper confidence bound.

    bound(i) = (m + sum_j w_ij r_j) / (1 + n_i) + exploration x sqrt(ln(1 + t) / (1 + n_i)),    n_i = sum_j w_ij

with w_ij = exp(-((i - j) / width)^2 / 2) over the t visited groups j, their relevance r_j and its mean m, which
counts as one visit. Neighbours in index are neighbours in time for contiguous groups, and neighbours in their
offset for interleaved ones, where an event of several ticks shows up in as many neighbouring groups. The ring that
closes interleaved offsets is ignored. Source: UCB1 (Auer et al. 2002) with a kernel in place of arms, which videos
have too many of to pull twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.interfaces import GroupScheduler
from framework.types import Group, ScoredGroup


@dataclass(frozen=True)
class UpperConfidence(GroupScheduler):
    """Adaptive and deterministic; `width` in groups, `exploration` in units of relevance."""

    width: float
    exploration: float

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise ValueError(f"scheduler.width must be > 0 groups, got {self.width}")
        if self.exploration < 0:
            raise ValueError(f"scheduler.exploration must be >= 0, got {self.exploration}")

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """The highest bound; ties to the one farthest from all visited, then to the lower index. O(G t)."""
        if not visited:
            return min(remaining, key=lambda group: group.index)
        relevance = np.array([seen.relevance.value for seen in visited])  # [t]
        gap = np.abs(np.subtract.outer([g.index for g in remaining], [s.group.index for s in visited]))  # [G - t, t]
        weight = np.exp(-0.5 * (gap / self.width) ** 2)
        seen = 1 + weight.sum(1)  # [G - t]
        bound = (relevance.mean() + weight @ relevance) / seen
        bound += self.exploration * np.sqrt(math.log(1 + len(visited)) / seen)
        order = zip(-bound.round(9), -gap.min(1), (group.index for group in remaining), strict=True)
        return min(zip(order, remaining, strict=True), key=lambda pair: pair[0])[1]
