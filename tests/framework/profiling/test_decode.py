"""The bench of decoding: what is decoded, counted by hand; its film; its groups; wrong wishes refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from av.video.frame import PictureType

from framework.core.errors import UsageError
from framework.profiling.base import Spent
from framework.profiling.decode import DecodeBench, _Cell, even, grouped, plain
from framework.profiling.film import render
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.timeline import timeline

KEYS: dict[str, Any] = {
    "reader": PyAVReader(threads=1),
    "heights": (56, 96),
    "rates": (None, 5, 2.5),
    "orders": ("contiguous", "interleaved"),
    "seconds": 4,
    "fps": 10,
    "noise": 4.0,
    "ticks": 4,
    "min_pixels": 784,
    "max_pixels": 3136,
    "consumer_ms": 0.1,
    "rounds": 1,
    "seed": 0,
}


def test_pictures_are_counted() -> None:
    rows = list(DecodeBench(**KEYS).rows())
    cells = [(rate, order) for rate in ("all", "5", "2.5") for order in ("contiguous", "interleaved")]
    assert [(row["pixels"], row["fps"], row["order"]) for row in rows] == [
        (pixels, *cell) for pixels in ("56p", "96p") for cell in cells
    ]
    assert [row["decoded"] for row in rows] == [40, 40, 20, 20, 10, 10] * 2  # of a film of 4 seconds
    assert [row["groups"] for row in rows] == [5, 5, 3, 3, 2, 2] * 2  # of 4 ticks of two frames
    assert all(0 < row["waits"] <= 1 for row in rows)


def test_a_film_of_ones_own_is_measured(tmp_path: Path) -> None:
    own = tmp_path / "own.mp4"
    render(own, 64, 96, 2, 10, 4.0, 0)
    rows = list(DecodeBench(**{**KEYS, "film": str(own), "rates": (None, 5), "orders": ("contiguous",)}).rows())
    assert [(row["pixels"], row["decoded"]) for row in rows] == [("64p", 20), ("64p", 10)]


@pytest.mark.parametrize("content", [b"no film", None])
def test_what_is_no_film_is_refused(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "words.mp4"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=r"^what\.film: .*words\.mp4"):
        next(DecodeBench(**{**KEYS, "film": str(file)}).rows())


def test_without_a_consumer_nobody_waits() -> None:
    changed = {"heights": (56,), "rates": (5,), "orders": ("contiguous",), "consumer_ms": 0.0}
    (row,) = DecodeBench(**{**KEYS, **changed}).rows()
    assert row["waits"] == ""


def test_the_film_is_h264_with_b_frames_and_noise(tmp_path: Path) -> None:
    loud, still = tmp_path / "loud.mp4", tmp_path / "still.mp4"
    assert render(loud, 96, 160, 1.5, 10, 6.0, 1) == render(still, 96, 160, 1.5, 10, 0.0, 1) == 15
    assert plain(str(loud), 1) == 15
    assert loud.stat().st_size > 2 * still.stat().st_size
    with av.open(str(loud)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.height, stream.width) == ("h264", 96, 160)
        pictures = [
            (PictureType(frame.pict_type).name, frame.to_ndarray(format="gray").astype(int))
            for frame in container.decode(stream)
        ]
    assert {"I", "B"} <= {kind for kind, _ in pictures}
    assert all(abs(one - other).mean() > 2 for (_, one), (_, other) in pairwise(pictures))


def test_groups() -> None:
    assert [group.ticks.tolist() for group in grouped(7, 3, "contiguous")] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [group.ticks.tolist() for group in grouped(7, 3, "interleaved")] == [[0, 3, 6], [1, 4], [2, 5]]
    assert [group.index for group in grouped(7, 3, "interleaved")] == [0, 1, 2]
    assert (even(720 * 16 / 9), even(56 * 16 / 9)) == (1280, 100)


def test_a_row_is_arithmetic(tmp_path: Path) -> None:
    render(tmp_path / "film.mp4", 56, 100, 2, 10, 0.0, 0)
    bench = DecodeBench(**{**KEYS, "consumer_ms": 100.0})
    film = timeline(str(tmp_path / "film.mp4"), Sampling(None, 100, 1), 2, bench.reader)  # 20 frames: 2 s of consuming
    cell = _Cell(56, None, "contiguous", film, grouped(10, 4, "contiguous"), 20, [0.9, 0.25])
    row = bench._row(
        cell, {"plain": [Spent(0.5, 1)], f"{cell} alone": [Spent(1.5, 1)], f"{cell} beside": [Spent(3.0, 1)]}
    )
    assert (row["plain s"], row["s"], row["s x"], row["both s"]) == (0.5, 1.5, 3, 3)
    assert row["waits"] == 0.25 and row["late"] == 0.5  # 3 s, where consuming alone takes 2
    assert torch.equal(film.frames.flatten(), torch.arange(20))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"orders": ("random",)}, "what.orders: got 'random', expected one of contiguous, interleaved"),
        ({"orders": ()}, "what.orders: got an empty list, expected at least one"),
        ({"rates": (0,)}, r"what.rates: got 0, expected rates above 0 and at most what.fps=10, or null"),
        ({"rates": (11,)}, "what.rates: got 11"),
        ({"heights": (57,)}, "what.heights: got 57, expected even numbers of pixels from 28 on"),
        ({"heights": (0,)}, "what.heights: got 0"),
        ({"seconds": 0.1}, "what.seconds: got 0.1, expected at least 2 frames"),
        ({"max_pixels": 100}, "what.max_pixels: got 100, expected at least 784"),
        ({"consumer_ms": -1}, "what.consumer_ms: got -1, expected at least 0"),
        ({"noise": float("nan")}, "what.noise: got nan"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DecodeBench(**{**KEYS, **change})
