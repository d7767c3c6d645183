"""Files that are no usable video: one clear VideoError each, from the timeline or from the frame that breaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from framework.core.errors import UsageError
from framework.core.types import Group, Timeline
from framework.video.errors import VideoError
from framework.video.readers.base import Reader
from framework.video.readers.decord import DecordReader
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.stream import FrameSource
from framework.video.timeline import timeline

EVERY = Sampling(None, max_frames=10_000, min_frames=1)
READERS = [DecordReader(1, 2**29), PyAVReader(1)]


def line_of(path: str | Path, reader: Reader = READERS[0]) -> Timeline:
    return timeline(str(path), EVERY, 2, reader)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"video=.*none.mp4: it cannot be read \(No such file"):
        line_of(tmp_path / "none.mp4")


def test_an_address_says_that_nothing_is_fetched() -> None:
    with pytest.raises(VideoError, match=r"addresses are not fetched"):
        line_of("https://example.org/video.mp4")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"this is a folder"):
        line_of(tmp_path)


def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match=r"no regular file"):
        line_of(tmp_path / "pipe.mp4")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match=r"the file is empty"):
        line_of(tmp_path / "empty.mp4")


def test_text_named_mp4(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no frames here\n" * 100)
    with pytest.raises(VideoError, match=r"this is no video"):
        line_of(tmp_path / "text.mp4")


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"no moving picture, only: audio"):
        line_of(path)


def test_a_header_without_frames(tmp_path: Path) -> None:
    path = tmp_path / "header.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=2)
        stream.height = stream.width = 56
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    with pytest.raises(VideoError, match=r"without any frame|no moving picture|no video"):
        line_of(path)


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_file_cut_off(make_video: Callable[..., str], tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    with (
        av.open(make_video("whole.mp4", frames=400, fps=25)) as whole,
        av.open(str(tmp_path / name), "w", options=options) as copy,
    ):
        stream = copy.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match=r"the file is cut off"):
        line_of(tmp_path / name)


def test_a_file_cut_off_before_its_index(make_video: Callable[..., str], tmp_path: Path) -> None:
    content = Path(make_video("whole2.mp4", frames=50)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(VideoError, match=r"header is damaged or cut off"):
        line_of(tmp_path / "cut.mp4")


@pytest.mark.parametrize("reader", READERS, ids=["decord", "pyav"])
def test_a_file_that_breaks_half_way_names_the_frame(clips: Callable[[str], str], reader: Reader) -> None:
    line = line_of(clips("corrupted.mp4"), reader)
    groups = [Group(0, line.frames.new_tensor(range(10))), Group(1, line.frames.new_tensor(range(10, 25)))]
    with FrameSource(line, reader, (28, 28), groups) as source:
        assert source.frames(groups[0]).pixels.shape == (10, 2, 3, 28, 28)
        for _ in range(2):  # a second wish gets the same answer, not a hang
            with pytest.raises(VideoError, match=r"frame 28 cannot be decoded .*after 28 of 50 wanted frames"):
                source.frames(groups[1])


def test_the_error_is_one_for_people() -> None:
    error = VideoError("a.mp4", "this is a folder", "Expected a file")
    assert isinstance(error, UsageError)
    assert str(error) == "video=a.mp4: this is a folder. Expected a file"
