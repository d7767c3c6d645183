"""Groups in index order, as AdaptToken-Lite draws it. Early stopping then sees the start of a contiguous split only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class Natural(GroupScheduler):
    """Chooses the group with the lowest index first."""

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group with the lowest index."""
        return min(remaining, key=lambda group: group.index)
