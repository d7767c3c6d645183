"""What is known of a video before its frames are wanted. Reads all packets and decodes the first frame only.

The first frame is decoded because nothing else tells how the picture is turned, and because a file whose first frame is
broken should say so before a model is loaded. The size is that of the picture as a player shows it: mirrored and turned
the way the file asks, with square pixels.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.stream import VideoStream
from numpy.typing import NDArray

from framework.video.container import USUAL, Limits, check_file, prepare
from framework.video.demux import AGAIN, demux, open_timed
from framework.video.errors import VideoError
from framework.video.packets import packets
from framework.video.resize import MAX_ASPECT

NEARLY_SQUARE = 0.02  # a width that was rounded when a video was made smaller leaves pixels that are a little off


@dataclass(frozen=True, eq=False)
class VideoInfo:
    """Describes one video file.

    Height and width are in pixels as shown: mirrored and turned the way the file asks, with square pixels.
    """

    path: str  # absolute
    seconds: NDArray[np.float64]  # [n], when each frame is shown, from the first frame on
    height: int
    width: int
    duration_seconds: float  # until the last frame disappears
    quarter_turns: int  # counter-clockwise, from the stored to the shown picture
    mirrored: bool  # left and right change sides, before the picture is turned
    decoded: tuple[int, int]  # height and width of the first picture once turned, with the pixels that are stored

    @property
    def frames(self) -> int:
        """Returns how many frames the file holds."""
        return len(self.seconds)

    @property
    def average_fps(self) -> float:
        """Returns the frames per second over the whole file; 1 where its duration is 0."""
        return self.frames / self.duration_seconds if self.duration_seconds > 0 else 1.0

    def turned(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mirrors and turns a stored picture [h, w, 3] the way the file asks; a view."""
        return np.rot90(picture[:, ::-1] if self.mirrored else picture, self.quarter_turns)


def inspect(path: str, limits: Limits = USUAL) -> VideoInfo:
    """Returns what is known of the file at `path`.

    It is kept for the last few files as long as they do not change. Raises VideoError if it is no video, or if its
    pictures are larger than `limits` allow or have a shape that no model takes.
    """
    check_file(path)
    status = os.stat(path)
    return _inspect(path, limits, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _inspect(path: str, limits: Limits, size_bytes: int, changed_ns: int) -> VideoInfo:
    most = limits.max_picture_pixels
    with open_timed(path, limits) as (container, stream):
        _check_size(path, stream.height, stream.width, most)
        table = packets(path, limits)
        prepare(stream, limits, threads=1)
        try:
            first = _first_picture(container, stream, table.first_packet)
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VideoError(path, f"frame 0 cannot be decoded ({reason})", AGAIN) from error
        pixel_aspect = float(stream.sample_aspect_ratio or 1)
    if first is None:
        raise VideoError(path, f"none of its {len(table)} packets gives a frame", AGAIN)
    _check_size(path, first.height, first.width, most)
    height, width = _square(first.height, first.width, pixel_aspect)
    _check_size(path, height, width, most)
    if max(height, width) > MAX_ASPECT * min(height, width):
        found = f"its pictures are {width} x {height} pixels, one side more than {MAX_ASPECT} times the other"
        raise VideoError(path, found, "Expected a picture that is less narrow; cut or scale it, e.g. with ffmpeg -vf")
    turns, mirrored = _orientation(first)
    return VideoInfo(
        path=os.path.abspath(path),
        seconds=table.seconds,
        height=width if turns % 2 else height,
        width=height if turns % 2 else width,
        duration_seconds=float(table.seconds[-1]) + table.last_seconds,
        quarter_turns=turns,
        mirrored=mirrored,
        decoded=(first.width, first.height) if turns % 2 else (first.height, first.width),
    )


def _first_picture(container: InputContainer, stream: VideoStream, start: int) -> av.VideoFrame | None:
    """The first picture that comes out when decoding begins with packet `start`."""
    for packet in islice(demux(container, stream), start, None):
        if pictures := stream.codec_context.decode(packet):
            return pictures[0]
    return next(iter(stream.codec_context.decode(None)), None)


def _check_size(path: str, height: int, width: int, most: int) -> None:
    if height * width > most:
        found = f"its pictures have {width} x {height} = {width * height} pixels, more than {most}"
        raise VideoError(path, found, "Make them smaller, or set reader.max_picture_pixels")


def _square(height: int, width: int, pixel_aspect: float) -> tuple[int, int]:
    """Height and width with square pixels. One side grows, as in players, so that no pixel is lost."""
    if not pixel_aspect > 0 or abs(pixel_aspect - 1) <= NEARLY_SQUARE:
        return height, width
    return (height, round(width * pixel_aspect)) if pixel_aspect > 1 else (round(height / pixel_aspect), width)


def _orientation(picture: av.VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise, and whether the picture is mirrored before them, by its display matrix.

    A point (x, y) of the stored picture is shown at (a x + c y, b x + d y).
    """
    data = picture.side_data.get(SideData.DISPLAYMATRIX)
    if data is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(data, np.int32, 5).tolist()
    mirrored = a * d < b * c
    if mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(-b, a)) / 90) % 4, mirrored
