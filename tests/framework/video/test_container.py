"""What is opened: the file itself, whatever it is called, and no other file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import pytest
from av.video.stream import VideoStream
from PIL import Image

from framework.video.container import Limits, open_container, prepare
from framework.video.errors import VideoError
from framework.video.info import inspect
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from tests.fixtures.films import Film, make, number_of

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


@pytest.mark.parametrize(
    ("width", "height", "codec", "threads", "marked", "used"),
    [
        (7680, 4320, "hevc", 0, False, 0),
        (7680, 4320, "hevc", 4, False, 4),
        (15360, 8640, "hevc", 4, False, 1),  # each thread would hold pictures of its own
        (64, 64, "vp8", 0, False, 1),  # several threads make other pictures of damaged data every time
        (64, 64, "vp8", 4, False, 1),
        (64, 64, "vp9", 4, False, 4),
        (64, 64, "libdav1d", 4, False, 4),
        (64, 64, "libdav1d", 4, True, 1),  # it would wait for Python for ever when it is closed early
    ],
)
def test_some_films_are_decoded_by_one_thread(
    width: int, height: int, codec: str, threads: int, marked: bool, used: int
) -> None:
    decoder = SimpleNamespace(name=codec, thread_count=None, options={}, flags=0)
    stream = SimpleNamespace(width=width, height=height, codec_context=decoder)
    prepare(cast(VideoStream, stream), Limits(max_picture_pixels=77), threads, marked)
    assert decoder.thread_count == used
    assert decoder.options == {"max_pixels": "77"}
    assert bool(decoder.flags) == marked


LISTS = {
    "film.ffconcat": "ffconcat version 1.0\nfile 0.mp4\nfile 2.mp4\n",
    "film.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.002,\n0.ts\n#EXTINF:2.002,\n2.ts\n#EXT-X-ENDLIST\n",
    "open.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + "#EXTINF:2.002,\n0.ts\n" * 4,  # without an end
    "web.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.002,\nhttp://127.0.0.1:9/0.ts\n#EXT-X-ENDLIST\n",
    "web.ffconcat": "ffconcat version 1.0\nfile http://127.0.0.1:9/0.mp4\n",
}


@pytest.fixture
def lists(here: Path) -> None:
    for start in (0, 2):
        make(Film("mp4", bframes=3, frames=60), Path(f"{start}.mp4"))
        make(Film("ts", bframes=3, frames=60, start=start), Path(f"{start}.ts"))
    for name, text in LISTS.items():
        Path(name).write_text(text)


@pytest.mark.parametrize(
    "make_reader", [partial(DecordReader, 1, 2**29), partial(PyAVReader, 1)], ids=["decord", "pyav"]
)
@pytest.mark.parametrize("name", ["film.ffconcat", "film.m3u8"])
def test_a_playlist_of_local_films_is_read_where_a_key_allows_it(
    lists: None, name: str, make_reader: Callable[..., Reader]
) -> None:
    with pytest.raises(VideoError, match=r"reader.allow_playlists=true"):
        make_reader().info(name)
    reader = make_reader(allow_playlists=True)
    info = reader.info(name)
    assert (info.frames, round(info.duration_seconds, 2)) == (120, 4.0)
    shown = [number_of(p.permute(1, 2, 0).numpy()) for _, p in reader.decode(name, [0, 59, 60, 75, 119])]
    assert shown == [0, 59, 0, 15, 59]


def test_an_open_ended_playlist_is_read_from_its_start(lists: None) -> None:
    assert inspect("open.m3u8", Limits(allow_playlists=True)).frames == 4 * 60


@pytest.mark.parametrize("name", ["web.m3u8", "web.ffconcat", "sdp.mp4"])
def test_no_playlist_reaches_beyond_local_files(lists: None, name: str) -> None:
    Path("sdp.mp4").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 9 RTP/AVP 96\n")
    with pytest.raises(VideoError):
        inspect(name, Limits(allow_playlists=True))
