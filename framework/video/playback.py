"""What a decoder makes of a file's packets: which pictures come out, in what order. Converts no pixel, keeps none.

A picture is known by the number of the packet it came from, which travels through the decoder with it. One thread
decodes (or several within one picture), so that an error belongs to the packet that was sent last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from framework.video.demux import demux, open_timed


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


def play(path: str, spans: Sequence[tuple[int, int]], guesses: bool = True) -> Generator[Picture, None, None]:
    """Yields what comes out when just the packets from a to before b are decoded, for each of the `spans` (a, b).

    The spans ascend and do not overlap. No span knows the pictures of another. Without `guesses`
    pictures have just the times that the file itself gives them.
    """
    waiting = iter(spans)
    span = next(waiting, None)
    with open_timed(path, guesses) as (container, stream):
        codec = stream.codec_context
        codec.thread_type = "SLICE"
        codec.thread_count = 0
        codec.flags |= Flags.copy_opaque
        for number, packet in enumerate(demux(container, stream)):
            while span is not None and number >= span[1]:
                yield from _decode(codec, None, number - 1)
                codec.flush_buffers()
                span = next(waiting, None)
            if span is None:
                return
            if number >= span[0]:
                yield from _decode(codec, packet, number)
        yield from _decode(codec, None, number)


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
