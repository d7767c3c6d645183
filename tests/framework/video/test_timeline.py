"""From files to ticks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from framework.video.errors import VideoError
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.timeline import timeline

EVERY = Sampling(None, max_frames=10_000, min_frames=1)


def test_two_frames_per_second_make_one_tick_per_second(make_video: Callable[..., str]) -> None:
    line = timeline(make_video("lab.mp4", frames=64), EVERY, 2, PyAVReader(1))
    assert line.frames.flatten().tolist() == list(range(64))
    assert line.frames[5].tolist() == [10, 11]
    assert line.seconds.tolist() == [float(t) for t in range(32)]


def test_a_short_last_tick_repeats_its_last_frame(make_video: Callable[..., str]) -> None:
    line = timeline(make_video("odd.mp4", frames=5), EVERY, 2, PyAVReader(1))
    assert line.frames.tolist() == [[0, 1], [2, 3], [4, 4]]
    assert line.seconds.tolist() == [0.0, 1.0, 2.0]


def test_a_tick_may_have_the_time_between_its_frames(make_video: Callable[..., str]) -> None:
    path = make_video("uneven.mp4", frames=5, fps=1000, stamps=[0, 40, 1000, 3000, 7000])
    assert timeline(path, EVERY, 2, PyAVReader(1), "mean").seconds.tolist() == pytest.approx([0.02, 2.0, 7.0])
    assert timeline(path, EVERY, 2, PyAVReader(1), "first").seconds.tolist() == pytest.approx([0.0, 1.0, 7.0])


def test_one_frame_is_a_timeline(make_video: Callable[..., str]) -> None:
    line = timeline(make_video("one.mp4", frames=1), EVERY, 2, PyAVReader(1))
    assert line.frames.tolist() == [[0, 0]]
    assert line.seconds.tolist() == [0.0]


def test_variable_frame_rate_keeps_real_times(make_video: Callable[..., str]) -> None:
    path = make_video("vfr.mp4", frames=6, fps=1000, stamps=[0, 40, 1000, 1040, 7000, 7500])
    line = timeline(path, EVERY, 1, PyAVReader(1))
    assert line.seconds.tolist() == pytest.approx([0.0, 0.04, 1.0, 1.04, 7.0, 7.5])


def test_timestamps_behind_the_end_are_refused(make_video: Callable[..., str]) -> None:
    path = make_video("short.mp4", frames=4)
    with pytest.raises(VideoError, match=r"sampling.timestamps asks for 9.0 s.*2.000 s"):
        timeline(path, Sampling(None, 8, 1, timestamps=(1.0, 9.0)), 2, PyAVReader(1))


def test_a_real_clip_by_its_own_times(clips: Callable[[str], str]) -> None:
    line = timeline(clips("nasa_13013.mp4"), Sampling(2.0, 64, 2), 2, PyAVReader(1))  # 13.01 s: 26 frames, 13 ticks
    assert line.frames.shape == (13, 2)
    assert line.frames[0, 0] == 0
    assert line.frames[-1, -1] == 389
    assert line.seconds[1].item() == pytest.approx(line.frames[1, 0].item() / 29.97003, abs=1e-4)
