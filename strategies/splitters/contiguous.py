"""Neighbouring ticks form a group: short stretches of the video, each at full temporal rate.

It does not look at the content: a scene may be cut in two (`scene` looks for cuts, `interleaved` spreads every scene).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline


@dataclass(frozen=True)
class Contiguous(GroupSplitter):
    """Cuts a timeline into ceil(T / ticks_per_group) stretches of neighbouring ticks.

    The last one holds what is left over.
    """

    ticks_per_group: int

    def __post_init__(self) -> None:
        if self.ticks_per_group < 1:
            raise ValueError(f"splitter.ticks_per_group must be >= 1, got {self.ticks_per_group}")

    def split(self, timeline: Timeline) -> list[Group]:
        """Cuts the timeline: group g holds up to ticks_per_group ticks, from tick g x ticks_per_group on."""
        parts = torch.arange(len(timeline)).split(self.ticks_per_group)
        return [Group(index, ticks) for index, ticks in enumerate(parts)]
