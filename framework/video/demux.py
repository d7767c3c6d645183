"""The packets of a file, one after the other, and what each of them says. Decodes no pixel.

A time counts only if the file gives it, or if it follows from the time of decoding because the codec shows its pictures
in the order in which it decodes them. FFmpeg's guesses at missing times put pictures on one another's places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
import numpy as np
from av.container import Flags, InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from framework.video.container import USUAL, Limits, open_container
from framework.video.errors import VideoError

AGAIN = "Copy or download it again"
NONE = int(np.iinfo(np.int64).min)  # in place of a time that a packet does not have
START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
PICTURE = b"\x00\x00\x01\xb6"  # begins a picture of MPEG-4
NOT_CODED_BYTES = 19  # no packet without a picture is larger; FFmpeg has the same limit
CHUNK_HEADER = 8  # bytes of an AVI file before a packet: its kind and its length
IDR = 5  # the type of H.264 unit that makes the decoder forget all earlier pictures


@dataclass(frozen=True)
class Listing:
    """Lists all packets of a file's video stream that hold data, in file order; times are in units of `base`."""

    stamps: NDArray[np.int64]  # [p], when the picture is shown, or NONE
    clocks: NDArray[np.int64]  # [p], when the packet is decoded, or NONE
    bytes: NDArray[np.int64]  # [p]
    keyframe: NDArray[np.bool_]  # [p]
    clean: NDArray[np.bool_]  # [p], a key frame from which every picture shown after it is whole
    corrupt: NDArray[np.bool_]  # [p], the container lost data near this packet
    shown: NDArray[np.bool_]  # [p], not marked as never shown
    lengths: NDArray[np.int64]  # [p], how long the picture is shown, 0 where that is not known
    base: float  # seconds
    frame_seconds: float  # by the frame rate that the file tells, 0 without one
    declared: float  # how many seconds the header promises, 0 without a promise
    start: float  # seconds, of the first packet of any stream
    end_bytes: int  # where the last packet of the file's index ends, 0 without an index
    container: str

    def __len__(self) -> int:
        return len(self.stamps)

    def is_format(self, *names: str) -> bool:
        """Says whether the container is one of those."""
        return not set(names).isdisjoint(self.container.split(","))


@contextmanager
def open_timed(path: str, limits: Limits = USUAL, guesses: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Opens the file like `open_container`, but FFmpeg makes up no times of presentation from those of later packets.

    Without `guesses` it fills in no times at all.
    """
    with open_container(path, limits) as (container, stream):
        flags = Flags(container.flags) & ~Flags.gen_pts
        container.flags = int((flags if guesses else flags | Flags.no_fillin).value)  # type: ignore[call-overload]
        yield container, stream


def demux(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Yields the packets of `stream` that hold data, with all the times of presentation that are known."""
    in_order = not stream.codec_context.has_b_frames
    clocks = _avi_clocks(container, stream)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:  # PyAV's flush meets a stream that began in mid-file; all data has come by then
            return
        if packet.size:
            if packet.pos in clocks:
                packet.dts = clocks[packet.pos]
            if in_order and packet.pts is None:
                packet.pts = packet.dts
            yield packet


def list_packets(path: str, limits: Limits = USUAL) -> Listing:
    """Returns the packets of the file at `path`.

    Raises VideoError if it breaks, holds no packet, or tells no time at all.
    """
    rows: list[tuple[int, int, int, bool, bool, bool, bool, int]] = []
    positions: list[int] = []
    hidden: list[bool] = []
    packed = False  # some packets hold two pictures; the second counts as the next packet's, which is then empty
    with open_timed(path, limits) as (container, stream):
        entries = stream.index_entries
        end_bytes = max((e.pos + e.size for e in entries[-64:]), default=0) if len(entries) else 0
        index, resolution = _avi_clocks(container, stream), int(stream.codec_context.framerate or 1)
        codec, extradata = stream.codec_context.name, stream.codec_context.extradata or b""
        try:
            for packet in demux(container, stream):
                positions.append(packet.pos or 0)
                content = bytes(packet) if packet.is_keyframe or codec == "mpeg4" else b""
                rows.append(
                    (
                        NONE if packet.pts is None else packet.pts,
                        NONE if packet.dts is None else packet.dts,
                        packet.size,
                        packet.is_keyframe,
                        packet.is_keyframe and (codec != "h264" or IDR in _unit_types(content, extradata)),
                        packet.is_corrupt,
                        not packet.is_discard,
                        packet.duration or 0,
                    )
                )
                hidden.append(_hidden(packet, codec, resolution))
                packed |= codec == "mpeg4" and content.count(PICTURE) > 1
        except av.error.FFmpegError as error:
            raise VideoError(path, f"the file breaks after {len(rows)} frames ({error.strerror})", AGAIN) from error
        rate = stream.average_rate or stream.guessed_rate
        base, frame_seconds = float(stream.time_base or 0), float(1 / rate) if rate else 0.0
        declared = container.duration / av.time_base if container.duration else 0.0
        start, name = (container.start_time or 0) / av.time_base, container.format.name
    if not rows:
        raise VideoError(path, "the file has a video stream without any frame", "Expected at least one frame")
    stamps, clocks, sizes, keys, clean, corrupt, shown, lengths = (np.array(c) for c in zip(*rows, strict=True))
    shown &= packed | ~np.array(hidden)
    lost = sorted(index.keys() - set(positions))
    corrupt[np.searchsorted(positions, lost).clip(max=len(rows) - 1)] = True
    listing = Listing(
        stamps,
        clocks,
        sizes,
        keys,
        clean,
        corrupt,
        shown,
        lengths,
        base=base,
        frame_seconds=frame_seconds,
        declared=declared,
        start=start,
        end_bytes=end_bytes,
        container=name,
    )
    if (listing.stamps == NONE).all() and (listing.clocks == NONE).all():
        raise VideoError(path, "its frames carry no times (a raw stream)", "Put it into a container, e.g. .mp4 or .mkv")
    return listing


def _avi_clocks(container: InputContainer, stream: VideoStream) -> dict[int, int]:
    """When the packet at each place of the file is decoded, by the index of an AVI file; empty for other files.

    The demuxer only counts the packets that it finds.
    """
    if container.format.name != "avi":
        return {}
    return {entry.pos + CHUNK_HEADER: entry.timestamp for entry in stream.index_entries if entry.size}


def _unit_types(content: bytes, extradata: bytes) -> set[int]:
    """The types of the H.264 units of one packet: each behind a start code, or, if `extradata` says so, its length."""
    if extradata[:1] != b"\x01":
        return {match[1][0] & 31 for match in START_CODE.finditer(content)}
    types, at, size = set(), 0, (extradata[4] & 3) + 1
    while at + size < len(content):
        types.add(content[at + size] & 31)
        at += size + int.from_bytes(content[at : at + size])
    return types


def _hidden(packet: av.Packet, codec: str, resolution: int) -> bool:
    """Whether the packet holds no picture to be shown.

    VP8 stores reference frames that are never shown as packets of their own: bit 4 of the first byte is 0. MPEG-4 has
    packets that say: nothing new, go on showing the picture before.
    """
    if codec == "mpeg4":
        return packet.size <= NOT_CODED_BYTES and _not_coded(bytes(packet), resolution)
    return codec == "vp8" and not bytes(packet)[0] & 0x10


def _not_coded(content: bytes, resolution: int) -> bool:
    """Whether this MPEG-4 picture is marked as not coded; its clock has `resolution` steps in a second.

    Behind the start code: two bits of type, a 1 for each second that has begun, 0, 1, the step, 1, and the mark.
    """
    start, _, head = content.partition(PICTURE)
    bits = "".join(f"{byte:08b}" for byte in head)
    after_seconds = bits.find("0", 2)
    mark = after_seconds + 2 + max(1, (resolution - 1).bit_length()) + 1
    return not start and after_seconds >= 2 and bits[mark : mark + 1] == "0"
