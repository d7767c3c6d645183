"""What comes out of a decoder: pictures that know their packet, spans that know nothing of one another, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from framework.video.container import Limits
from framework.video.errors import VideoError
from framework.video.playback import is_damaged, play
from tests.fixtures.films import Film, make, number_of


def test_a_picture_knows_its_packet_and_its_time(tmp_path: Path) -> None:
    path = make(Film(bframes=3, frames=40), tmp_path / "film.mp4")
    with av.open(path) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stamps != sorted(stamps)
    pictures = list(play(path, [(0, 40)]))
    assert [number_of(p.frame.to_ndarray(format="rgb24")) for p in pictures] == list(range(40))
    assert [stamps[p.packet] for p in pictures] == [p.stamp for p in pictures] == sorted(stamps)


def test_pictures_keep_only_the_times_of_the_file(tmp_path: Path) -> None:
    path = make(Film("mpg", "mpeg2video", bframes=2, frames=200), tmp_path / "film.mpg")
    own = [p.stamp for p in play(path, [(0, 200)], guesses=False)]
    filled = [p.stamp for p in play(path, [(0, 200)])]
    assert len(own) == len(filled) == 200
    assert 0 < sum(stamp is not None for stamp in own) < sum(stamp is not None for stamp in filled)


def test_spans_are_decoded_alone(tmp_path: Path) -> None:
    path = make(Film(frames=72), tmp_path / "film.mp4")  # key frames 0, 24, 48
    assert [p.packet for p in play(path, [(0, 3), (48, 50)])] == [0, 1, 2, 48, 49]
    assert [p.packet for p in play(path, [(48, 1000)])] == list(range(48, 72))
    assert list(play(path, [])) == []


def test_an_error_comes_in_place_of_a_picture(tmp_path: Path) -> None:
    path = make(Film("mp4", "libvpx-vp9", frames=20), tmp_path / "film.mp4")
    with av.open(path) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][10]
    content = bytearray(Path(path).read_bytes())
    content[place : place + 2] = b"\x00\x00"  # no frame of this codec begins so
    (tmp_path / "broken.mp4").write_bytes(content)
    pictures = list(play(str(tmp_path / "broken.mp4"), [(0, 20)]))
    assert [p.packet for p in pictures] == list(range(20))
    assert [p.packet for p in pictures if p.frame is None] == [10]
    assert pictures[10].corrupt and not pictures[9].corrupt


def test_pictures_that_become_too_large_are_refused(make_video: Callable[..., str], tmp_path: Path) -> None:
    parts = [make_video("small.ts", frames=4, size=(32, 64)), make_video("large.ts", frames=4, size=(64, 64))]
    (tmp_path / "grows.ts").write_bytes(b"".join(Path(part).read_bytes() for part in parts))
    path = str(tmp_path / "grows.ts")
    assert len(list(play(path, [(0, 8)]))) == 8
    with pytest.raises(VideoError, match=r"64 x 64 pixels are more than reader.max_picture_pixels=2048"):
        list(play(path, [(0, 8)], Limits(max_picture_pixels=2048)))


def test_damage_anywhere_in_a_film_is_found(tmp_path: Path) -> None:
    path = make(Film("mp4", "mpeg4", frames=40), tmp_path / "film.mp4")
    assert not is_damaged(path, Limits())
    with av.open(path) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][30]
    content = bytearray(Path(path).read_bytes())
    content[place + size // 2 : place + size] = b"\x55" * (size - size // 2)
    (tmp_path / "noise.mp4").write_bytes(content)
    assert is_damaged(str(tmp_path / "noise.mp4"), Limits())
