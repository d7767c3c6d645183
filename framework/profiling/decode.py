"""Measures decoding: of all frames and of some, group by group in two orders, alone and beside a consumer.

The floor is a plain decode of the same file from its start to its end, by PyAV, which converts nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import av
import torch

from framework.core.errors import UsageError
from framework.core.types import Group, Timeline
from framework.profiling import checks
from framework.profiling.base import Bench, Row, Spent, side_by_side
from framework.profiling.film import render
from framework.video.errors import VideoError
from framework.video.readers.base import Reader
from framework.video.resize import target_size
from framework.video.sampling import Sampling
from framework.video.stream import FrameSource
from framework.video.timeline import timeline

ORDERS = ("contiguous", "interleaved")
ASPECT = 16 / 9
FRAMES_PER_TICK, CELL, EVERY = 2, 28, 10**9
PLAIN = "plain"


@dataclass
class _Cell:
    """One way to read a film, and what came of it."""

    height: int
    fps: float | None
    order: str
    film: Timeline
    groups: list[Group]
    decoded: int = 0
    waits: list[float] = field(default_factory=list)  # share of a run in which the consumer waited

    def __str__(self) -> str:
        return f"{self.height} {self.fps} {self.order}"


@dataclass(frozen=True)
class DecodeBench(Bench):
    """Measures how long frames take to come, and how long a consumer of fixed speed waits for them.

    The fields are the keys of conf/what/decode.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    reader: Reader
    heights: tuple[int, ...]
    rates: tuple[float | None, ...]
    orders: tuple[str, ...]
    seconds: float
    fps: int
    noise: float
    ticks: int
    min_pixels: int
    max_pixels: int
    consumer_ms: float
    rounds: int
    seed: int
    film: str | None = None

    def __post_init__(self) -> None:
        checks.among(ORDERS, orders=self.orders)
        checks.some(heights=self.heights, rates=self.rates, orders=self.orders)
        checks.at_least(1, fps=self.fps, ticks=self.ticks, min_pixels=self.min_pixels, rounds=self.rounds)
        checks.at_least(self.min_pixels, max_pixels=self.max_pixels)
        checks.at_least(0, noise=self.noise, consumer_ms=self.consumer_ms)
        if wrong := [height for height in self.heights if height < CELL or height % 2]:
            raise ValueError(f"what.heights: got {wrong[0]}, expected even numbers of pixels from {CELL} on")
        if wrong_rates := [rate for rate in self.rates if rate is not None and not 0 < rate <= self.fps]:
            raise ValueError(
                f"what.rates: got {wrong_rates[0]}, expected rates above 0 and at most what.fps={self.fps}, or null"
            )
        if not self.seconds * self.fps >= FRAMES_PER_TICK:
            raise ValueError(f"what.seconds: got {self.seconds}, expected at least {FRAMES_PER_TICK} frames of a film")

    def rows(self) -> Iterator[Row]:
        """Yields, per height, a row for every rate and order.

        A row holds the pictures that were decoded and handed over, the seconds of the plain decode, of getting all
        groups, and of getting them beside the consumer (medians over the rounds), and how many times the plain decode
        the second of these is. `waits` is the share of the last in which the consumer waited. `late` says how much
        longer it took than the slower one of decoding and consuming alone, as a share of that. Raises UsageError where
        `film` is no film that can be decoded.
        """
        for path, height in self._films():
            cells = [self._cell(path, height, rate, order) for rate in self.rates for order in self.orders]
            runs: dict[str, Callable[[], object]] = {PLAIN: partial(plain, path, self.reader.threads)}
            for cell in cells:
                runs |= {f"{cell} alone": partial(self._read, cell, 0)}
                runs |= {f"{cell} beside": partial(self._read, cell, self.consumer_ms / 1000)}
            took = side_by_side(runs, self.rounds)
            yield from (self._row(cell, took) for cell in cells)

    def _films(self) -> Iterator[tuple[str, int]]:
        """Paths of films and the heights of their pictures: the given one, or those that are rendered, one by one."""
        if self.film is not None:
            try:
                yield self.film, self.reader.info(self.film).height
            except VideoError as error:
                raise UsageError(f"what.film: {error}") from error
            return
        with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
            for height in self.heights:
                path = Path(folder) / f"{height}.mp4"
                render(path, height, even(height * ASPECT), self.seconds, self.fps, self.noise, self.seed)
                yield str(path), height
                path.unlink()

    def _cell(self, path: str, height: int, rate: float | None, order: str) -> _Cell:
        film = timeline(path, Sampling(rate, EVERY, 1), FRAMES_PER_TICK, self.reader)
        return _Cell(height, rate, order, film, grouped(len(film), self.ticks, order))

    def _read(self, cell: _Cell, consumer_seconds: float) -> None:
        """Gets every group; a consumer works so long on each of its frames."""
        info = self.reader.info(cell.film.path)
        size = target_size(info.height, info.width, CELL, self.min_pixels, self.max_pixels)
        start, waited = time.perf_counter(), 0.0
        with FrameSource(cell.film, self.reader, size, cell.groups) as source:
            for group in cell.groups:
                before = time.perf_counter()
                source.frames(group)
                waited += time.perf_counter() - before
                time.sleep(consumer_seconds * FRAMES_PER_TICK * len(group))
            cell.decoded = source.decoded
        if consumer_seconds:
            cell.waits.append(waited / (time.perf_counter() - start))

    def _row(self, cell: _Cell, took: dict[str, list[Spent]]) -> Row:
        alone, beside, floor = took[f"{cell} alone"], took[f"{cell} beside"], took[PLAIN]
        consumer = FRAMES_PER_TICK * len(cell.film) * self.consumer_ms / 1000
        slower = [both.seconds / max(own.seconds, consumer) for own, both in zip(alone, beside, strict=True)]
        times = [own.seconds / bare.seconds for own, bare in zip(alone, floor, strict=True)]
        waits = cell.waits[-len(beside) :]
        return {
            "pixels": f"{cell.height}p",
            "fps": "all" if cell.fps is None else f"{cell.fps:g}",
            "order": cell.order,
            "groups": len(cell.groups),
            "decoded": cell.decoded,
            "plain s": round(median(run.seconds for run in floor), 3),
            "s": round(median(run.seconds for run in alone), 3),
            "cpu s": round(median(run.processor_seconds for run in alone), 3),
            "s x": round(median(times), 2),
            "both s": round(median(run.seconds for run in beside), 3),
            "waits": round(median(waits), 3) if waits else "",
            "late": round(median(slower) - 1, 3),
        }


def plain(path: str, threads: int) -> int:
    """Decodes a file from its start to its end and keeps nothing. Returns how many pictures came."""
    with av.open(path) as container:
        container.streams.video[0].codec_context.thread_count = threads
        container.streams.video[0].thread_type = "AUTO"
        return sum(1 for _ in container.decode(video=0))


def grouped(ticks: int, size: int, order: str) -> list[Group]:
    """Cuts `ticks` ticks into groups of at most `size`: neighbours, or every n-th one, n being the number of groups."""
    every, count = torch.arange(ticks), -(-ticks // size)
    parts = every.split(size) if order == "contiguous" else [every[first::count] for first in range(count)]
    return [Group(index, part) for index, part in enumerate(parts)]


def even(pixels: float) -> int:
    """Rounds to an even number of pixels, which H.264 asks for."""
    return 2 * round(pixels / 2)
