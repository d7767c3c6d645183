"""The groups that a preview found most promising first, such as the most moving scenes by packet size.

Groups without a hint come last, in index order; a splitter that makes no hints leaves the natural order. Reads nothing
of what was seen: whether the preview was right shows in how early stopping stops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class Hint(GroupScheduler):
    """Chooses the group with the highest `Group.hint` first."""

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group with the highest hint. Ties go to the lower index."""
        return max(remaining, key=lambda group: (-math.inf if group.hint is None else group.hint, -group.index))
