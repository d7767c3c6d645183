"""The size and the orientation of a film are those that a player shows."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framework.video.errors import VideoError
from framework.video.info import inspect
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader

READERS = [DecordReader(1, 2**29), PyAVReader(1)]
IDS = ["decord", "pyav"]
CORNERS = {"top left": (0, 0), "top right": (0, -1), "bottom left": (-1, 0), "bottom right": (-1, -1)}
# a, b, c, d of a display matrix: (x, y) is shown at (a x + c y, b x + d y), y downwards; then where the stored top left
# and top right corners go
ORIENTATIONS = {
    "as it is": ((1, 0, 0, 1), "top left", "top right"),
    "left and right swapped": ((-1, 0, 0, 1), "top right", "top left"),
    "upside down": ((1, 0, 0, -1), "bottom left", "bottom right"),
    "half a turn": ((-1, 0, 0, -1), "bottom right", "bottom left"),
    "a quarter clockwise": ((0, 1, -1, 0), "top right", "bottom right"),
    "a quarter counter-clockwise": ((0, -1, 1, 0), "bottom left", "top left"),
    "along the main diagonal": ((0, 1, 1, 0), "top left", "bottom left"),
    "along the other diagonal": ((0, -1, -1, 0), "bottom right", "top right"),
}


def film(
    path: Path, size: tuple[int, int] = (32, 64), pixel: Fraction = Fraction(1), frames: int = 3, first: int = 0
) -> str:
    """Dark pictures whose top left corner is white and whose top right corner is grey."""
    height, width = size
    content = np.full((height, width, 3), 20, np.uint8)
    content[: height // 2, : width // 4], content[: height // 2, -(width // 4) :] = 230, 130
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.height, stream.width, stream.pix_fmt, stream.options = height, width, "yuv420p", {"crf": "10"}
        stream.codec_context.sample_aspect_ratio = pixel
        for number in range(first, first + frames):
            frame = av.VideoFrame.from_ndarray(content, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def show_with(path: str, matrix: tuple[int, int, int, int]) -> None:
    """Writes a display matrix into the track header of an .mp4."""
    content = bytearray(Path(path).read_bytes())
    at = content.index(b"tkhd") + 44
    for place, value in zip((0, 4, 12, 16), matrix, strict=True):
        struct.pack_into(">i", content, at + place, value << 16)
    Path(path).write_bytes(content)


@pytest.mark.parametrize("reader", READERS, ids=IDS)
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_pictures_are_turned_and_mirrored_as_players_do(tmp_path: Path, reader: Reader, name: str) -> None:
    matrix, white, grey = ORIENTATIONS[name]
    path = film(tmp_path / "turned.mp4")
    show_with(path, matrix)
    info = reader.info(path)
    assert (info.height, info.width) == ((32, 64) if matrix[0] else (64, 32))
    for _, picture in reader.decode(path, [0, 2]):
        assert picture.shape == (3, info.height, info.width)
        shown = {corner: picture.float().mean(0)[place].item() for corner, place in CORNERS.items()}
        expected = dict.fromkeys(CORNERS, 20.0) | {white: 230.0, grey: 130.0}
        assert shown == pytest.approx(expected, abs=8)


@pytest.mark.parametrize("reader", READERS, ids=IDS)
@pytest.mark.parametrize(
    ("pixel", "shown"),
    [
        (Fraction(2), (32, 128)),  # one side grows: 64 x 2
        (Fraction(16, 11), (32, 93)),  # 64 x 16 / 11 = 93.1
        (Fraction(8, 9), (36, 64)),  # 32 x 9 / 8
        (Fraction(640, 639), (32, 64)),  # a rounded width, not another shape
        (Fraction(1), (32, 64)),
    ],
)
def test_the_size_is_that_with_square_pixels(
    tmp_path: Path, reader: Reader, pixel: Fraction, shown: tuple[int, int]
) -> None:
    path = film(tmp_path / "wide.mp4", pixel=pixel)
    info = reader.info(path)
    assert (info.height, info.width) == shown
    assert info.decoded == (32, 64)
    assert [picture.shape for _, picture in reader.decode(path, [0, 1])] == [(3, 32, 64)] * 2


def test_the_pixels_of_a_turned_film_are_turned_too(tmp_path: Path) -> None:
    path = film(tmp_path / "both.mp4", pixel=Fraction(2))
    show_with(path, ORIENTATIONS["a quarter clockwise"][0])
    info = inspect(path)
    assert (info.height, info.width, info.decoded) == (128, 32, (64, 32))


def test_a_film_too_narrow_for_any_model_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "narrow.mp4", size=(1608, 8))
    with pytest.raises(VideoError, match=r"its pictures are 8 x 1608 pixels, one side more than 200 times the other"):
        inspect(path)
    assert inspect(film(tmp_path / "just.mp4", size=(1600, 8))).height == 1600


@pytest.mark.parametrize("make", [lambda most: DecordReader(1, 2**29, most), lambda most: PyAVReader(1, most)], ids=IDS)
def test_larger_pictures_than_a_key_allows_are_refused(tmp_path: Path, make: Callable[[int], Reader]) -> None:
    path = film(tmp_path / "large.mp4")
    assert make(32 * 64).info(path).frames == 3
    for call in (make(2047).info, lambda path: list(make(2047).decode(path, [0]))):
        with pytest.raises(VideoError, match=r"64 x 32 = 2048 pixels, more than 2047.*set reader.max_picture_pixels"):
            call(path)


def test_pictures_that_become_too_large_are_refused_where_they_do(tmp_path: Path) -> None:
    small = Path(film(tmp_path / "small.ts", frames=4)).read_bytes()
    (tmp_path / "grows.ts").write_bytes(small + Path(film(tmp_path / "large.ts", (64, 64), first=4)).read_bytes())
    path = str(tmp_path / "grows.ts")
    assert [picture.shape[1] for _, picture in PyAVReader(1).decode(path, [3, 4])] == [32, 64]
    with pytest.raises(VideoError, match=r"packet 4 .*64 x 64 pixels are more than reader.max_picture_pixels=2048"):
        list(PyAVReader(1, 2048).decode(path, [3, 4]))


def test_the_default_lets_8k_through_and_256_million_pixels_not(tmp_path: Path) -> None:
    assert 7680 * 4320 <= Reader.max_picture_pixels < 16_000 * 16_000
