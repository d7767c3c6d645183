"""Every group strides over the whole video with its own offset: group g = ticks {g, g + G, g + 2G, ...}.

Each group is a sparse look at everything, so a short event shows up in several groups, in neighbouring indices.
Ticks are interleaved, not frames: a tick of two frames that lie far apart would have no time of its own. Source:
AdaptToken (arXiv 2603.28696) with G = floor(T / K) + 1 as read second-hand, FlexSelect with G = ceil(T / K).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline


@dataclass(frozen=True)
class Interleaved(GroupSplitter):
    """Cuts a timeline into groups of at most `ticks_per_group` (K) ticks that stride over the whole video.

    The sizes of the groups differ by at most one.
    """

    ticks_per_group: int
    count: Literal["floor_plus_one", "ceil"]

    def __post_init__(self) -> None:
        if self.ticks_per_group < 1:
            raise ValueError(f"splitter.ticks_per_group must be >= 1, got {self.ticks_per_group}")
        if self.count not in ("floor_plus_one", "ceil"):
            raise ValueError(f"splitter.count must be floor_plus_one or ceil, got {self.count!r}")

    def split(self, timeline: Timeline) -> list[Group]:
        """Cuts the timeline: group g holds every G-th tick from tick g on. There are never more groups than ticks."""
        total = len(timeline)
        full, rest = divmod(total, self.ticks_per_group)
        count = full + 1 if self.count == "floor_plus_one" else full + (rest > 0)
        count = min(count, total)
        ticks = torch.arange(total)
        return [Group(index, ticks[index::count].contiguous()) for index in range(count)]
