"""What a decoder makes of a file's packets: which pictures come out, in what order. Converts no pixel, keeps none.

A picture is known by the number of the packet it came from, which travels through the decoder with it. One thread
decodes, so that an error belongs to the packet that was sent last, and because several within one picture of H.264
report no damage.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

import av
from av.video.codeccontext import VideoCodecContext

from framework.video.container import USUAL, Limits, check_file, prepare, too_large
from framework.video.demux import demux, open_timed
from framework.video.errors import VideoError


@dataclass(frozen=True)
class Picture:
    """Describes a picture that came out of the decoder; `frame` is None where an error came in its place."""

    packet: int  # number of its packet in file order; of the packet sent last, for an error
    stamp: int | None  # when it is shown, in the file's own units
    frame: av.VideoFrame | None

    @property
    def corrupt(self) -> bool:
        """Says whether the decoder found damage."""
        return self.frame is None or bool(self.frame.is_corrupt)


def play(
    path: str, spans: Sequence[tuple[int, int]], limits: Limits = USUAL, guesses: bool = True
) -> Generator[Picture, None, None]:
    """Yields what comes out when just the packets from a to before b are decoded, for each of the `spans` (a, b).

    The spans ascend and do not overlap. No span knows the pictures of another. Without `guesses`
    pictures have just the times that the file itself gives them. Raises VideoError where pictures become too large.
    """
    waiting = iter(spans)
    span = next(waiting, None)
    with open_timed(path, limits, guesses) as (container, stream):
        codec = stream.codec_context
        prepare(stream, limits, threads=1, marked=True)
        for number, packet in enumerate(demux(container, stream)):
            while span is not None and number >= span[1]:
                yield from _decode(codec, None, number - 1)
                codec.flush_buffers()
                span = next(waiting, None)
            if span is None:
                return
            if number >= span[0]:
                for picture in _decode(codec, packet, number):
                    if picture.frame is None and (found := too_large(stream, limits)):
                        raise VideoError(
                            path, f"packet {number} cannot be decoded ({found})", "Make its pictures smaller"
                        )
                    yield picture
        yield from _decode(codec, None, number)


def is_damaged(path: str, limits: Limits) -> bool:
    """Says whether the decoder finds any damage in the file, all of which it decodes.

    The answer is kept for the last few files as long as they do not change.
    """
    check_file(path)
    status = os.stat(path)
    return _is_damaged(path, limits, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _is_damaged(path: str, limits: Limits, size_bytes: int, changed_ns: int) -> bool:
    with closing(play(path, [(0, 2**62)], limits)) as pictures:
        return any(picture.corrupt for picture in pictures)


def _decode(codec: VideoCodecContext, packet: av.Packet | None, number: int) -> Iterator[Picture]:
    """What comes out when `packet` is sent, or, for None, when nothing more will be."""
    if packet is not None:
        packet.opaque = number
    try:
        frames = codec.decode(packet)
    except av.error.FFmpegError:
        yield Picture(number, None, None)
        return
    for frame in frames:
        origin = frame.opaque
        yield Picture(origin if isinstance(origin, int) else number, frame.pts, frame)
