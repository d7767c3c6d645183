"""Pixels of groups, in whatever order the groups are wished for. Knows no model and no reason for that order.

A thread decodes the needed frames once, in file order, resizes them and hands them over through a queue. Frames of a
group not wished for yet wait in a spool, so groups in natural order stream and leave the spool empty, and any other
order costs no second decoding. Decoding goes only as far as the wished group needs, plus the queue. Reading interleaved
groups one by one would decode the file once per group: 14-21 s against 0.5 s for 4,096 frames of 56x56.

The queue has room for two groups of resized pictures, so that one is ready and the next comes while a model is busy
with a third. Its memory is at most AHEAD_BYTES. Beside it there are one full-size picture, the chunk that is being made
and the one that was taken last (CHUNK_BYTES each, or a single picture that is larger).

Pixels lie with colours last, as the decoder gives them, until they are on the device, where turning them round is
cheap. What `frames` gives is a view of that in the order [Tg, F, 3, H, W]. Where this process uses CUDA, it is in
pinned memory, so that the copy to the device need not be waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby, takewhile
from types import TracebackType

import torch
from torch import Tensor

from framework.core.types import Frames, Group, Timeline
from framework.video.handover import Handover
from framework.video.readers.base import Reader
from framework.video.resize import resize
from framework.video.spool import Spool

log = logging.getLogger(__name__)
SPOOL_RAM_BYTES = 2**29
CHUNK_BYTES = 2**22  # resized pictures handed over together
CHUNK_FRAMES = 64
AHEAD_BYTES = 2**28  # resized pictures decoded ahead, where two groups are more than that
GROUPS_AHEAD = 2


class FrameSource:
    """Gives the frames of the groups of one video; it is used as a context manager.

    `size`: height and width in pixels of the frames handed out. `groups`: all groups that may be wished for; nothing
    else is decoded. `progress` is told after each chunk how many of how many frames are decoded (from the decoding
    thread). `ahead_bytes`: most that lies in the queue, of resized pictures.
    """

    def __init__(
        self,
        timeline: Timeline,
        reader: Reader,
        size: tuple[int, int],
        groups: Sequence[Group],
        spool_ram_bytes: int = SPOOL_RAM_BYTES,
        progress: Callable[[int, int], None] | None = None,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self._timeline, self._reader, self._size, self._progress = timeline, reader, size, progress
        self._wishes = _wishes(timeline, groups)
        self._needed = sorted(self._wishes)
        self._spool = Spool((*size, 3), spool_ram_bytes, len(self._needed))
        self._frame_bytes = 3 * size[0] * size[1]
        self._most_ahead = spool_ram_bytes
        two_groups = (
            GROUPS_AHEAD * max((timeline.frames[g.ticks].numel() for g in groups), default=0) * self._frame_bytes
        )
        self._ahead: Handover[list[tuple[int, Tensor]] | BaseException | None] = Handover(min(ahead_bytes, two_groups))
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._chunk: list[tuple[int, Tensor]] = []  # pictures [H, W, 3] taken from the queue, the next one last
        self._entered = False
        self._damaged: set[int] = set()  # frames that the reader calls damaged
        self.decoded = 0  # frames that came out of the decoder
        self.spooled = 0  # frames that had to wait for their group
        self.decode_seconds = 0.0  # decoding and resizing, in the background
        self.waited_seconds = 0.0  # the consumer, for frames not decoded yet

    def __enter__(self) -> FrameSource:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the decoding thread and frees the spool. May be called twice."""
        self._ahead.close()
        self._entered = False
        if self._thread is not None:
            self._thread.join()
        self._spool.close()

    def serves(self, timeline: Timeline, size: tuple[int, int], groups: Sequence[Group]) -> bool:
        """Says whether this source gives the frames of just these groups, of this file and in this size."""
        mine = self._timeline
        same = (mine.path, self._size) == (timeline.path, size) and torch.equal(mine.frames, timeline.frames)
        return same and torch.equal(mine.seconds, timeline.seconds) and self._wishes == _wishes(timeline, groups)

    def start(self, first: Group | None = None) -> None:
        """Begins to decode before anything is wished for, as far as the queue has room. May be called twice.

        `first`: the group that will be wished for first. The queue gets room for all that it needs, and has to be
        decoded in any case, but for no more than the spool may hold in RAM.
        """
        if self._thread is None:
            if first is not None:
                last = int(self._timeline.frames[first.ticks].max())
                self._ahead.widen(min(self._most_ahead, bisect_right(self._needed, last) * self._frame_bytes))
            self._thread = threading.Thread(target=self._produce, name="decode", daemon=True)
            self._thread.start()

    def frames(self, group: Group) -> Frames:
        """Returns the pixels of `group`, u8 [Tg, F, 3, H, W], with their times; each of the announced groups once.

        Raises VideoError if the file breaks, and ValueError for a group that was not announced or was handed out
        already.
        """
        if not self._entered:
            raise RuntimeError("FrameSource is a context manager: use `with FrameSource(...) as source`")
        wanted = self._timeline.frames[group.ticks]  # [Tg, F]
        places: dict[int, list[int]] = {}
        for place, number in enumerate(wanted.flatten().tolist()):
            places.setdefault(number, []).append(place)
        if self._failure is not None and any(number not in self._spool for number in places):
            raise self._failure
        for number in places:
            if self._wishes[number] == 0:
                raise ValueError(f"frame {number} of group {group.index} was not announced, or was handed out already")
        pixels = torch.empty(wanted.numel(), *self._size, 3, dtype=torch.uint8, pin_memory=torch.cuda.is_initialized())
        for number in [n for n in places if n in self._spool]:
            for place in places.pop(number):
                pixels[place].copy_(self._spool.get(number))
            self._handed_out(number)
        while places:
            number, picture = self._next()
            if number in places:
                for place in places.pop(number):
                    pixels[place].copy_(picture)
                self._handed_out(number)
            if self._wishes[number] > 0:
                self._spool.put(number, picture)
                self.spooled += 1
        ordered = pixels.unflatten(0, tuple(wanted.shape)).permute(0, 1, 4, 2, 3)
        return Frames(ordered, self._timeline.seconds[group.ticks])

    def damaged_ticks(self, group: Group) -> int:
        """Counts the ticks of `group` whose frames, as far as they are decoded, come from damaged data."""
        return sum(not self._damaged.isdisjoint(frames) for frames in self._timeline.frames[group.ticks].tolist())

    def _handed_out(self, number: int) -> None:
        self._wishes[number] -= 1
        if self._wishes[number] == 0 and number in self._spool:
            self._spool.drop(number)

    def _next(self) -> tuple[int, Tensor]:
        """The next decoded frame in file order."""
        while not self._chunk:
            self._chunk = self._next_chunk()[::-1]
        return self._chunk.pop()

    def _next_chunk(self) -> list[tuple[int, Tensor]]:
        self.start()
        if self._failure is None:
            started = time.perf_counter()
            item = self._ahead.get()
            self.waited_seconds += time.perf_counter() - started
            if isinstance(item, list):
                return item
            self._failure = item or RuntimeError("the reader ended without giving all frames it was asked for")
        raise self._failure

    def _produce(self) -> None:
        """The decoding thread: chunks of resized frames, then None, or the exception that ended it."""
        last: BaseException | None = None
        started, chunk = time.perf_counter(), list[tuple[int, Tensor]]()
        most = max(1, min(CHUNK_FRAMES, CHUNK_BYTES // self._frame_bytes))
        try:
            with closing(self._reader.decode(self._timeline.path, self._needed, self._damaged)) as pictures:
                for numbered in self._resized(takewhile(lambda _: not self._ahead.closed, pictures)):
                    chunk.append(numbered)
                    self.decoded += 1
                    if len(chunk) == most or self.decoded == len(self._needed):
                        self._hand_over(chunk, started)
                        started, chunk = time.perf_counter(), []
        except BaseException as error:  # handed to the consumer, whatever it is, behind what came before it
            last = error
        self._ahead.put(chunk, len(chunk) * self._frame_bytes)
        self._ahead.put(last, 0)

    def _hand_over(self, chunk: list[tuple[int, Tensor]], started: float) -> None:
        self.decode_seconds += time.perf_counter() - started
        if self._progress is not None:
            self._progress(self.decoded, len(self._needed))
        self._ahead.put(chunk, len(chunk) * self._frame_bytes)

    def _resized(self, pictures: Iterable[tuple[int, Tensor]]) -> Iterator[tuple[int, Tensor]]:
        """The pictures in the one size, u8 [H, W, 3].

        One by one: a stack would be one more copy of what is full-size. Readers give colours last in memory; kept so,
        resizing is up to seven times faster.
        """
        for change, (shape, alike) in enumerate(groupby(pictures, key=lambda item: item[1].shape)):
            if change == 1:
                told = "%s: the size of its pictures changes, to %d x %d pixels; all are resized to one size"
                log.warning(told, self._timeline.path, shape[2], shape[1])
            for number, picture in alike:
                colours_last = picture.permute(1, 2, 0)[None].permute(0, 3, 1, 2)
                yield number, resize(colours_last, self._size)[0].permute(1, 2, 0)


def _wishes(timeline: Timeline, groups: Sequence[Group]) -> Counter[int]:
    """Frame -> how many groups need it."""
    return Counter(number for group in groups for number in timeline.frames[group.ticks].unique().tolist())
