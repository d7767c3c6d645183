"""Bit-reversal order, the van der Corput sequence of base 2: 0, 4, 2, 6, 1, 5, 3, 7 for eight groups.

After any number of visits the seen groups lie almost evenly among all of them. For interleaved groups that is an
almost uniform sampling of the video at a rate that doubles with every level. Reads nothing of what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import GroupScheduler
from framework.core.types import Group, ScoredGroup


@dataclass(frozen=True)
class VanDerCorput(GroupScheduler):
    """Chooses groups by their radical inverse: the binary digits of the index, mirrored at the binary point."""

    def next(self, visited: Sequence[ScoredGroup], remaining: Sequence[Group]) -> Group:
        """Returns the remaining group with the lowest radical inverse. All of them differ."""
        return min(remaining, key=lambda group: _radical_inverse(group.index))


def _radical_inverse(index: int) -> float:
    """0, 1/2, 1/4, 3/4, 1/8, ... for 0, 1, 2, 3, 4, ..."""
    mirrored = int(f"{index:b}"[::-1], 2)
    return mirrored / (1 << index.bit_length())
