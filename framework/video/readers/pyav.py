"""Reads with PyAV (FFmpeg): every codec FFmpeg knows, exact frame times, flat memory.

Jumps to a key frame when that saves decoding. Frames are recognised by their presentation time, never by counting, so
that a jump cannot shift them; where times do not tell frames apart, by their packet, and then there are no jumps. A
demuxer may land anywhere: packets are passed over until the key frame's own comes, so only the decoding from there on
costs something. Measured on two cores: memory grows by 3-5 MiB and stays there; a frame costs .11-.16 ms at 56x56, .9
ms at 480x270 and 4.5-8 ms at 1920x1080 (H.264).

A picture is damaged if the decoder says so, or leaves it out, or if the container lost data; and so is every picture
that may depend on it, up to the next key frame. What is shown shortly before, since the key frame, is damaged too: a
decoder notices late. That counts where decoding goes on in any case, to the next wanted picture.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import dropwhile

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from torch import Tensor

from framework.video.container import MAX_PICTURE_PIXELS, prepare, too_large
from framework.video.demux import AGAIN, demux, open_timed
from framework.video.errors import VideoError
from framework.video.packets import packets
from framework.video.readers.base import Reader
from framework.video.table import PacketTable

log = logging.getLogger(__name__)
LATE_FRAMES = 16  # a decoder may notice damage so much later than it shows
WAITING_PIXELS = 2**27  # pictures that wait for that hold no more together
JUMP_FRAMES = 16  # a jump empties the decoder's pipeline: not worth it for less
REORDERED = 16  # frames; no codec lets a picture wait for more that are shown later
EARLIER_SECONDS = (0, 1, 4, 16)  # how much before a key frame to search for it, as long as the search lands behind it


@dataclass(frozen=True)
class PyAVReader(Reader):
    """Decodes with PyAV. `threads`: decoding threads of one file, 0 = FFmpeg's choice."""

    threads: int
    max_picture_pixels: int = MAX_PICTURE_PIXELS
    allow_playlists: bool = False

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields (frame number, picture u8 [3, H, W]) for each of `frames`; see `Reader.decode`."""
        return self.resume(path, frames, 0, damaged)

    def resume(
        self, path: str, frames: Sequence[int], done: int, damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields what `decode` does, for frames[done:]; the earlier ones were read by another reader."""
        info = self.checked(path, frames)
        convert = VideoReformatter()  # keeps its tables: a new one per frame costs more than decoding a small frame
        bad = set[int]() if damaged is None else damaged
        try:
            for at, picture, spoilt in self._pictures(path, packets(path, self.limits), frames[done:]):
                if spoilt:
                    if not bad:
                        log.warning("%s: frame %d is damaged; the decoder filled in what it could", path, at)
                    bad.add(at)
                pixels = info.turned(np.asarray(convert.reformat(picture, format="rgb24").to_ndarray(), np.uint8))
                yield at, torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
                done += 1
        except _Missing as error:
            found = f"frame {frames[done]} cannot be decoded ({error}), after {done} of {len(frames)} wanted frames"
            raise VideoError(path, found, AGAIN) from error

    def _pictures(
        self, path: str, table: PacketTable, frames: Sequence[int]
    ) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """The wanted pictures, and whether they are damaged. Raises _Missing in place of one that does not come."""
        with closing(_Film(path, table, self)) as film:
            for start, run in _runs(table, frames):
                for key in _earlier(table, start):
                    if (yield from _read(film, table, key, run)):
                        break


class _Missing(Exception):
    """A wanted picture does not come; the message says why."""


def _runs(table: PacketTable, frames: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Splits `frames` where a jump pays: (key frame to start from, frames to read from there on); key frame 0 is the
    file's start. A key frame that is no clean start may give whole pictures only from the next one on."""
    keys = np.flatnonzero(table.keyframe & (not table.counted))
    places = np.searchsorted(keys, frames, side="right") - 1
    if len(keys):
        places -= ~table.clean[keys[places]]
    runs: list[tuple[int, list[int]]] = [(0, [])]
    at = 0
    for frame, place in zip(frames, places, strict=True):
        key = int(keys[place]) if place >= 0 else 0
        if key > at + JUMP_FRAMES:
            runs.append((key, []))
        runs[-1][1].append(frame)
        at = frame
    return [run for run in runs if run[1]]


def _earlier(table: PacketTable, key: int) -> Iterator[int]:
    """`key`, and then earlier key frames, each twice as far back, down to the file's start.

    They are needed where a key frame is a recovery point: the decoder holds pictures back until it has recovered.
    """
    keys = np.flatnonzero(table.keyframe)
    place, step = int(np.searchsorted(keys, key)), 1
    while key > 0:
        yield key
        place, step = place - step, step * 2
        key = int(keys[place]) if place > 0 else 0
    yield 0


class _Film:
    """An open file, decoded from wherever a jump leads. `error`: what the decoder complained about last.

    Decoding goes on behind an error only where the table knows of damage.
    """

    def __init__(self, path: str, table: PacketTable, reader: PyAVReader) -> None:
        self._path, self._table, self._reader = path, table, reader
        self._lenient = table.counted or bool(table.damaged.any())
        self._number_of = {mark: number for number, mark in enumerate(table.stamps.tolist())}
        self._open_file = ExitStack()
        self._untouched = True
        self.error = ""
        self._open()
        # VP8 reports no damage, and leaves in broken pictures what its memory held before: nothing waits for it.
        self.late = 0 if self._stream.codec_context.name == "vp8" else LATE_FRAMES

    def close(self) -> None:
        self._open_file.close()

    def decode(self, key: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """The pictures with their frame numbers, as they come out of the decoder, from frame `key` on.

        `key` 0 is the file's start. Pictures that are no frames of the table are left out.
        """
        self.error = ""
        queue = self._packets(key)
        while True:
            try:
                packet = next(queue, None)
            except av.error.FFmpegError as error:
                packet, self.error = None, error.strerror or str(error)
            try:
                pictures = self._stream.codec_context.decode(packet)
            except av.error.FFmpegError as error:
                pictures, self.error = [], too_large(self._stream, self._reader.limits) or error.strerror or str(error)
            for picture in pictures:
                number = self._number_of.get(picture.opaque if self._table.counted else picture.pts)
                if number is not None and number >= key:
                    yield number, picture
            if packet is None or (self.error and not self._lenient):
                return

    def _packets(self, key: int) -> Iterator[av.Packet]:
        """The packets from that of frame `key` on."""
        if key > 0 and self._seek(key):
            queue = demux(self._container, self._stream)
        else:
            if key > 0:
                log.info("%s: no jump to key frame %d; passing over the packets before it", self._path, key)
            if not self._untouched:
                self._open()
            queue = demux(self._container, self._stream)
        self._untouched = False
        stamp = int(self._table.stamps[key])
        for number, packet in enumerate(queue if key == 0 else dropwhile(lambda packet: packet.pts != stamp, queue)):
            if self._table.counted:
                packet.opaque = number
            if key > 0 or number >= self._table.first_packet:
                yield packet

    def _seek(self, key: int) -> bool:
        """Moves to the packet of frame `key` or before it; False if all there is lies behind it."""
        clock, stamp = int(self._table.clocks[key]), int(self._table.stamps[key])
        for seconds in EARLIER_SECONDS:
            target = clock - round(seconds / float(self._stream.time_base or 1))
            try:
                self._untouched = False
                self._container.seek(target, stream=self._stream)
                first = next(demux(self._container, self._stream), None)
                if first is not None and (first.pts <= stamp if first.dts is None else first.dts <= clock):
                    self._container.seek(target, stream=self._stream)
                    return True
            except av.error.FFmpegError:
                continue
        return False

    def _open(self) -> None:
        self._open_file.close()
        self._container, self._stream = self._open_file.enter_context(open_timed(self._path, self._reader.limits))
        codec = self._stream.codec_context
        # Threads that decode several pictures at once lose whole ones when one of them is broken.
        threads = 1 if self._lenient else self._reader.threads
        prepare(self._stream, self._reader.limits, threads, marked=self._table.counted)
        codec.thread_type = "AUTO"
        self._untouched = True


def _read(
    film: _Film, table: PacketTable, key: int, run: list[int]
) -> Generator[tuple[int, av.VideoFrame, bool], None, bool]:
    """Yields the pictures of `run`, and whether they are damaged, decoding from frame `key` on.

    Returns False, without a picture, if `key` is no place to start from. Raises _Missing in place of a picture that
    does not come, or comes out of turn.
    """
    reach, whole_from, whole_until = _reach(table), table.whole_from, table.whole_until
    spoilt: list[int] = []  # packets that gave a damaged picture, or none
    wanted = deque(run)
    waiting = deque[tuple[int, av.VideoFrame]]()
    last = key - 1

    def settled(until: int) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """What waits for nothing shown after frame `until`."""
        while waiting and reach[(at := waiting[0][0])] <= until:
            room = len(waiting) * waiting[0][1].width * waiting[0][1].height <= WAITING_PIXELS
            alike = bool(wanted) and whole_from[wanted[0]] == whole_from[at]  # decoding goes on there in any case
            if alike and room and until < at + film.late:
                return
            _, picture = waiting.popleft()
            bad = any(whole_from[at] <= packet < whole_until[at] for packet in spoilt)
            yield at, picture, bad or bool(table.damaged[at])

    for at, picture in film.decode(key):
        if key > 0 and last == key - 1 and at > key:
            if at > run[0]:
                return False
            last = at - 1  # held back until the decoder has recovered
        if at < last:
            raise _Missing("pictures come out in another order than their times say")
        spoilt += table.decode_order[last + 1 : at].tolist()
        if picture.is_corrupt:
            spoilt.append(int(table.decode_order[at]))
        last = at
        if wanted and at > wanted[0]:
            film.error = film.error or "the decoder leaves it out"
            break
        if wanted and at == wanted[0]:
            waiting.append((wanted.popleft(), picture))
        yield from settled(at)
        if not wanted and not waiting:
            return True
    else:
        last = len(table)
        if key > 0 and len(wanted) == len(run):
            return False
    yield from settled(len(table))
    if wanted:
        raise _Missing(
            film.error or ("the stream ends before it" if last == len(table) else "the decoder leaves it out")
        )
    return True


def _reach(table: PacketTable) -> NDArray[np.int64]:
    """The last of the frames that are decoded before each frame, and may be part of it: i64 [n]."""
    order = np.argsort(table.decode_order)
    reach = np.empty(len(table), np.int64)
    reach[order] = np.maximum.accumulate(order)
    return np.minimum(reach, np.arange(len(table)) + REORDERED)
