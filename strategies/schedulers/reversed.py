"""Groups in falling index order: a control for orders that profit from where the evidence happens to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class Reversed(GroupScheduler):
    """Chooses the group with the highest index first."""

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group with the highest index."""
        return max(remaining, key=lambda group: group.index)
