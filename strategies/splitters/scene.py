"""Groups end where the picture changes: cuts are read from packet sizes and key frames, without decoding anything.

A cut shows in the stream: the encoder either starts anew with a key frame out of turn, or pays for a predicted frame
far more than for its neighbours. Key frames in turn, at the largest distance when that occurs more than once, tell
nothing. Scenes below `min_ticks` join the next scene (at the end the one before), those above `ticks_per_group` are
divided evenly. A group's hint is the bytes per second of its predicted frames: how much moves.

It misses dissolves, and cuts that fall on a key frame in turn. Source: own; scene changes from the compressed stream go
back to Yeo and Liu (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from framework.core.interfaces import GroupSplitter
from framework.core.types import Group, Timeline
from framework.video.packets import packets
from framework.video.table import PacketTable

USUAL = 95  # percentile among neighbours: the largest kind of predicted frames, one in sixteen with pyramids of B


@dataclass(frozen=True)
class Scene(GroupSplitter):
    """Cuts a timeline into scenes of `min_ticks` to `ticks_per_group` ticks.

    `spike` and `neighbours` say what a cut is.
    """

    ticks_per_group: int
    min_ticks: int
    spike: float
    neighbours: int

    def __post_init__(self) -> None:
        if not 1 <= self.min_ticks <= self.ticks_per_group:
            raise ValueError(
                f"splitter.min_ticks must lie in 1..ticks_per_group={self.ticks_per_group}, got {self.min_ticks}"
            )
        if self.spike < 1:
            raise ValueError(f"splitter.spike must be >= 1, got {self.spike}")
        if self.neighbours < 1:
            raise ValueError(f"splitter.neighbours must be >= 1 frames, got {self.neighbours}")

    def split(self, timeline: Timeline) -> list[Group]:
        """Cuts the timeline into stretches of neighbouring ticks.

        The file is demuxed once. Raises VideoError when it is no video.
        """
        table = packets(timeline.path)
        cuts = np.concatenate([self._expensive(table), _out_of_turn(table)])
        at = np.unique(np.searchsorted(timeline.frames[:, 0].numpy(), cuts))  # first tick of each scene
        bounds = self._bounds(at[(at > 0) & (at < len(timeline))].tolist(), len(timeline))
        parts = [torch.arange(first, last) for first, last in pairwise(bounds)]
        return [Group(index, ticks, _motion(table, timeline, ticks)) for index, ticks in enumerate(parts)]

    def _expensive(self, table: PacketTable) -> NDArray[np.int64]:
        """Predicted frames that took `spike` times what is usual around them."""
        frames = np.flatnonzero(~table.keyframe)
        size = table.bytes[frames].astype(np.float64)
        usual = percentile_filter(size, USUAL, size=2 * self.neighbours + 1) if len(size) else size
        return frames[size > self.spike * usual]

    def _bounds(self, cuts: list[int], total: int) -> list[int]:
        """0, ..., `total`: the first tick of every group, and the end."""
        scenes = [0]
        for cut in cuts:
            if cut - scenes[-1] >= self.min_ticks:
                scenes.append(cut)
        if len(scenes) > 1 and total - scenes[-1] < self.min_ticks:
            scenes.pop()
        bounds = [0]
        for first, last in zip(scenes, [*scenes[1:], total], strict=True):
            pieces = -(-(last - first) // self.ticks_per_group)
            bounds += [first + (last - first) * piece // pieces for piece in range(1, pieces + 1)]
        return bounds


def _out_of_turn(table: PacketTable) -> NDArray[np.int64]:
    """Key frames that come before the encoder's regular distance was over."""
    frames = np.flatnonzero(table.keyframe)
    gaps = np.diff(frames)
    in_turn = gaps >= gaps.max(initial=0) - 1  # a frame more or less comes from reordering
    return frames[1:][~in_turn] if in_turn.sum() > 1 else frames[1:]


def _motion(table: PacketTable, timeline: Timeline, ticks: torch.Tensor) -> float | None:
    """Bytes per second of the predicted frames from the first to the last of `ticks`; None where there are none."""
    first, last = (int(timeline.frames[tick, frame]) for tick, frame in ((ticks[0], 0), (ticks[-1], -1)))
    inside = slice(first, last + 1)
    predicted = ~table.keyframe[inside]
    if not predicted.any():
        return None
    shown = np.diff(table.seconds, append=table.seconds[-1] + table.last_seconds)[inside]  # seconds
    duration = float(shown[predicted].sum())
    return float(table.bytes[inside][predicted].sum()) / duration if duration > 0 else None
