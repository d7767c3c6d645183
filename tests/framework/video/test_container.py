"""What is opened: the file itself, whatever it is called, and no other file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from PIL import Image

from framework.video.container import decoding_threads, open_container
from framework.video.errors import VideoError
from framework.video.info import inspect
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader

READERS = [DecordReader(1, 2**29), PyAVReader(1)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("reader", READERS, ids=["decord", "pyav"])
@pytest.mark.parametrize(
    "name",
    [
        "12:30 talk.mp4",
        "Movie: part 2.mp4",
        "http:/127.0.0.1:9/film.mp4",  # a folder called "http:"
        "~take2.mp4",
        "100%d.mp4",
        os.fsdecode(b"caf\xe9.mp4"),
    ],
    ids=ascii,
)
def test_a_file_is_read_whatever_it_is_called(
    make_video: Callable[..., str], here: Path, reader: Reader, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # a name that is not UTF-8 cannot travel between the processes of a test run
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(make_video("plain.mp4", frames=8)).read_bytes())
    shown = [picture.float().mean().item() for _, picture in reader.decode(name, [0, 7])]
    assert shown == pytest.approx([10, 17], abs=3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("concat.mp4", "ffconcat version 1.0\nfile film.mp4\n"),
        ("hls.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\nfilm.ts\n#EXT-X-ENDLIST\n"),
        ("sdp.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"),
    ],
)
def test_a_playlist_is_refused(make_video: Callable[..., str], here: Path, name: str, text: str) -> None:
    for film in ("film.mp4", "film.ts"):
        Path(film).write_bytes(Path(make_video(film, frames=8)).read_bytes())
    Path(name).write_text(text)
    with pytest.raises(VideoError, match=r"this is a playlist of other files, or .*that holds its pictures itself"):
        inspect(name)


def test_a_pattern_of_pictures_is_refused(here: Path) -> None:
    for name in ("still1.png", "still%d.png"):
        Image.new("RGB", (16, 16)).save(name)
    assert inspect("still1.png").frames == 1
    with pytest.raises(VideoError, match="this is a playlist of other files"):
        inspect("still%d.png")


def test_words_in_another_alphabet_than_they_claim_do_no_harm(make_video: Callable[..., str], tmp_path: Path) -> None:
    with av.open(make_video("words.mp4", frames=4)) as source, av.open(str(tmp_path / "title.mp4"), "w") as copy:
        copy.metadata["title"] = "CafXY"
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    content = (tmp_path / "title.mp4").read_bytes()
    assert content.count(b"CafXY") == 1
    (tmp_path / "title.mp4").write_bytes(content.replace(b"CafXY", b"Caf\xe9Y"))  # Latin-1 where UTF-8 is expected
    assert inspect(str(tmp_path / "title.mp4")).frames == 4


def test_any_value_error_of_the_library_is_one_of_the_file(
    make_video: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a surprise")

    path = make_video("surprise.mp4", frames=1)
    monkeypatch.setattr(av, "open", broken)
    with (
        pytest.raises(VideoError, match=r"its header is damaged or cut off \(a surprise\)"),
        open_container(path),
    ):
        pass


def test_opening_a_file_keeps_its_messages_out_of_pythons_log(make_video: Callable[..., str]) -> None:
    path = make_video("quiet.mp4", frames=1)
    av.logging.set_level(av.logging.ERROR)
    try:
        with open_container(path):
            assert av.logging.get_level() is None
    finally:
        av.logging.set_level(None)


def test_very_large_pictures_are_decoded_by_one_thread() -> None:
    eight_k, sixteen_k = SimpleNamespace(width=7680, height=4320), SimpleNamespace(width=15360, height=8640)
    assert [decoding_threads(stream, 0) for stream in (eight_k, sixteen_k)] == [0, 1]
    assert [decoding_threads(stream, 4) for stream in (eight_k, sixteen_k)] == [4, 1]
