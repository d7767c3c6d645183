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
from scipy.ndimage import convolve1d, distance_transform_edt

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup

REACH = 6  # widths: beyond, the kernel is below 2e-8 and left out


@dataclass(frozen=True)
class UpperConfidence(GroupScheduler):
    """Chooses the group with the highest upper confidence bound, adaptive and deterministic.

    `width` is in groups, `exploration` in units of relevance.
    """

    width: float
    exploration: float

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise ValueError(f"scheduler.width must be > 0 groups, got {self.width}")
        if self.exploration < 0:
            raise ValueError(f"scheduler.exploration must be >= 0, got {self.exploration}")

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group with the highest bound.

        Ties go to the group farthest from all visited ones, then to the lower index. The first visit goes to the lowest
        index.
        """
        if not visited:
            return min(remaining, key=lambda group: group.index)
        left, at = np.array([group.index for group in remaining]), np.array([seen.group.index for seen in visited])
        value = np.array([seen.relevance.value for seen in visited])  # [t]
        count, total = np.zeros((2, max(left.max(), at.max()) + 1))  # [G] each
        count[at], total[at] = 1, value
        reach = math.ceil(REACH * self.width)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.width) ** 2)
        seen = 1 + convolve1d(count, kernel, mode="constant")
        bound = (value.mean() + convolve1d(total, kernel, mode="constant")) / seen
        bound += self.exploration * np.sqrt(math.log(1 + len(visited)) / seen)
        distance = distance_transform_edt(count == 0)  # to the nearest visited group
        best = np.lexsort((left, -distance[left], -bound[left].round(9)))[0]  # the last key decides first
        return remaining[int(best)]
