"""Once over everything first, then into the gaps of what was relevant. Ours.

A group lies beside another where their spans of time overlap. Groups that lie beside no visited one come first, in
natural order: of braided groups one strand of every stretch. Then comes the group whose visited neighbours were the
most relevant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class CoarseToFine(GroupScheduler):
    """Chooses what lies beside nothing visited, then what lies beside the most relevant."""

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group that lies beside no visited one, or else beside those of the highest mean
        relevance; ties go to the lower index."""
        first, last = _spans([seen.group for seen in visited])
        value = np.array([seen.relevance.value for seen in visited])
        start, end = _spans(remaining)
        beside = (first[None] <= end[:, None]) & (last[None] >= start[:, None])  # [remaining, visited]
        count = beside.sum(1)
        mean = np.where(count > 0, beside @ value / np.maximum(count, 1), np.inf).round(9)
        index = np.array([group.index for group in remaining])
        return remaining[int(np.lexsort((index, -mean))[0])]


def _spans(groups: Sequence[Group]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last tick of every group, i64 each."""
    ends = np.array([(int(group.ticks[0]), int(group.ticks[-1])) for group in groups]).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]
