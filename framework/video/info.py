"""What is known of a video before its frames are wanted. Reads all packets and decodes the first frame only.

The first frame is decoded because nothing else tells how the picture is turned, and because a file whose first frame is
broken should say so before a model is loaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np
from numpy.typing import NDArray

from framework.video.container import check_file, open_container
from framework.video.errors import VideoError
from framework.video.packets import AGAIN, packets


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """Describes one video file.

    Height and width are in pixels as shown, after the rotation that the file asks for.
    """

    path: str
    seconds: NDArray[np.float64]  # [n], when each frame is shown, from the first frame on
    height: int
    width: int
    duration_seconds: float  # until the last frame disappears
    quarter_turns: int  # counter-clockwise, from the stored to the shown picture

    @property
    def frames(self) -> int:
        """Returns how many frames the file holds."""
        return len(self.seconds)

    @property
    def average_fps(self) -> float:
        """Returns the frames per second over the whole file; 1 where its duration is 0."""
        return self.frames / self.duration_seconds if self.duration_seconds > 0 else 1.0


def inspect(path: str) -> VideoInfo:
    """Returns what is known of the file at `path`. Raises VideoError if it is no video.

    It is kept for the last few files as long as they do not change.
    """
    check_file(path)
    status = os.stat(path)
    return _inspect(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _inspect(path: str, size_bytes: int, changed_ns: int) -> VideoInfo:
    table = packets(path)
    with open_container(path) as (container, stream):
        try:
            first = next(container.decode(stream), None)
        except av.error.FFmpegError as error:
            raise VideoError(path, f"frame 0 cannot be decoded ({error.strerror})", AGAIN) from error
    if first is None:
        raise VideoError(path, f"none of its {len(table)} packets gives a frame", AGAIN)
    turns = round(first.rotation / 90) % 4
    height, width = (first.width, first.height) if turns % 2 else (first.height, first.width)
    return VideoInfo(
        path=path,
        seconds=table.seconds,
        height=height,
        width=width,
        duration_seconds=float(table.seconds[-1]) + table.last_seconds,
        quarter_turns=turns,
    )
