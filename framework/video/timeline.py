"""From a file to its timeline: the ticks that are looked at. Decodes no more than the first frame; knows no group and
no model.

The time of a tick is the time of its first frame, or half-way between its first frame and its last. Frames are paired
in order of presentation: tick t holds the sampled frames F*t .. F*t + F - 1; if the last tick is short, its last frame
is repeated.
"""

from __future__ import annotations

import numpy as np
import torch

from framework.core.types import Timeline
from framework.video.errors import VideoError
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling


def timeline(path: str, sampling: Sampling, frames_per_tick: int, reader: Reader, tick_time: str = "first") -> Timeline:
    """Returns the timeline of the file at `path`: seconds f64 [T], frames i64 [T, F].

    `tick_time` says which time a tick has: that of its first frame (first), or half-way between first and last (mean).

    Raises VideoError if it is no usable video, or if a timestamp lies after its end.
    """
    info = reader.info(path)
    if sampling.timestamps is not None and max(sampling.timestamps) > info.duration_seconds:
        found = f"sampling.timestamps asks for {max(sampling.timestamps)} s"
        raise VideoError(path, found, f"Expected times within the video's {info.duration_seconds:.3f} s")
    chosen = sampling.frames(info.seconds, info.duration_seconds, frames_per_tick)
    padding = np.repeat(chosen[-1:], -len(chosen) % frames_per_tick)
    frames = np.concatenate([chosen, padding]).reshape(-1, frames_per_tick)
    seconds = info.seconds[frames[:, 0]]
    if tick_time == "mean":
        seconds = (seconds + info.seconds[frames[:, -1]]) / 2
    return Timeline(path, torch.from_numpy(seconds), torch.from_numpy(frames))
