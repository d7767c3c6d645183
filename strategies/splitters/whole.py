"""The whole video is one group: for selectors that score all tokens at once and for plain baselines.

It does not ask how many tokens a backbone can read: with a probing scorer the video must fit into its context.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline


@dataclass(frozen=True)
class Whole(GroupSplitter):
    """Puts every tick of a video into one group."""

    def split(self, timeline: Timeline) -> list[Group]:
        """Returns a list of one group with the ticks 0..T-1."""
        return [Group(0, torch.arange(len(timeline)))]
