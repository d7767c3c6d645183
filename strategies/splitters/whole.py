"""The whole video is one group: for selectors that score all tokens at once and for plain baselines.

It knows nothing of how many tokens a backbone can read: with a probing scorer the video must fit into its context.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline


@dataclass(frozen=True)
class Whole(GroupSplitter):
    """One group with every tick."""

    def split(self, timeline: Timeline) -> list[Group]:
        """A list of one group, ticks 0..T-1."""
        return [Group(0, torch.arange(len(timeline)))]
