"""Every stretch of neighbouring ticks is braided of several strands: one strand is a coarse look at its stretch.

A needle that lasts a few ticks leaves a tick in every strand, so a first strand shows where to look more closely, and
the others fill in what lies between. Ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline


@dataclass(frozen=True)
class Braided(GroupSplitter):
    """Cuts a timeline into stretches of ticks_per_group x strands neighbouring ticks, each interleaved into strands."""

    ticks_per_group: int
    strands: int

    def __post_init__(self) -> None:
        for key in ("ticks_per_group", "strands"):
            if (value := getattr(self, key)) < 1:
                raise ValueError(f"splitter.{key} must be >= 1, got {value}")

    def split(self, timeline: Timeline) -> list[Group]:
        """Cuts the timeline, stretch by stretch and strand by strand; a strand without ticks is left out."""
        stretches = torch.arange(len(timeline)).split(self.ticks_per_group * self.strands)
        parts = [stretch[strand :: self.strands] for stretch in stretches for strand in range(self.strands)]
        return [Group(index, ticks) for index, ticks in enumerate(part for part in parts if len(part))]
