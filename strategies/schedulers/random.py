"""Groups in random order: the order is fixed by the seed and the number of groups, whatever was seen so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class Random(GroupScheduler):
    """Chooses groups in the order of a seeded permutation. Videos with equally many groups share it."""

    seed: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be >= 0, got {self.seed} (keys: seed, scheduler.seed)")

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the first group of the permutation that was not visited."""
        everything = sorted([*(seen.group.index for seen in visited), *(group.index for group in remaining)])
        place = np.random.default_rng(self.seed).permutation(len(everything))  # [G]
        rank = dict(zip(everything, place.tolist(), strict=True))
        return min(remaining, key=lambda group: rank[group.index])
