"""Which frames: hand-computed cases, and what holds for every video."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.video.sampling import Sampling


def even(count: int, fps: float) -> tuple[np.ndarray, float]:
    return np.arange(count) / fps, count / fps


def test_every_frame_when_fps_is_none() -> None:
    seconds, duration = even(4096, 2.0)
    chosen = Sampling(None, max_frames=10_000, min_frames=2).frames(seconds, duration, 2)
    assert chosen.tolist() == list(range(4096))


def test_fps_gives_a_multiple_of_the_tick_spread_over_the_whole_file() -> None:
    seconds, duration = even(
        101, 10.0
    )  # 10.1 s at 1 fps: round(10.1 / 2) * 2 = 10 frames, targets 0, 10/9 s, ..., 10 s
    chosen = Sampling(1.0, max_frames=100, min_frames=2).frames(seconds, duration, 2)
    assert chosen.tolist() == [0, 11, 22, 33, 44, 56, 67, 78, 89, 100]


def test_the_cap_is_rounded_down_to_whole_ticks() -> None:
    seconds, duration = even(100, 1.0)
    assert len(Sampling(None, max_frames=9, min_frames=1).frames(seconds, duration, 2)) == 8
    assert Sampling(None, max_frames=2, min_frames=1).frames(seconds, duration, 2).tolist() == [0, 99]


def test_min_frames_raises_the_number_but_repeats_nothing() -> None:
    seconds, duration = even(30, 10.0)
    assert len(Sampling(0.1, max_frames=100, min_frames=8).frames(seconds, duration, 2)) == 8
    assert Sampling(0.1, max_frames=100, min_frames=40).frames(seconds, duration, 2).tolist() == list(range(30))


def test_real_times_decide_under_a_variable_frame_rate() -> None:
    seconds = np.array([0.0, 0.1, 0.2, 0.3, 10.0])  # targets 0, 10/3, 20/3, 10 s: the second is nearest to frame 3
    assert Sampling(0.4, max_frames=100, min_frames=1).frames(seconds, 10.1, 2).tolist() == [0, 3, 4]


def test_timestamps_take_the_frame_that_is_shown() -> None:
    seconds, duration = even(10, 2.0)
    sampling = Sampling(None, 100, 1, timestamps=(0.0, 0.49, 0.5, 3.3, 4.9))
    assert sampling.frames(seconds, duration, 2).tolist() == [0, 1, 6, 9]


@pytest.mark.parametrize("count", [4, 7, 12, 33])
@pytest.mark.parametrize("total", [33, 100, 301])
def test_middles_are_the_frames_that_internvl_takes(total: int, count: int) -> None:
    """Its index rule at constant rate, in whole numbers: floor((2 k + 1) * total / (2 * count))."""
    seconds, duration = even(total, 29.97)
    chosen = Sampling(None, count, 1, at="middles").frames(seconds, duration, 1)
    assert chosen.tolist() == [(2 * k + 1) * total // (2 * count) for k in range(count)]


def test_middles_follow_real_times() -> None:
    seconds = np.array([0.5, 0.6, 0.7, 0.8, 9.0])  # 0.5..10.5 s in four parts: their middles are 1.75, 4.25, 6.75, 9.25
    assert Sampling(None, 4, 1, at="middles").frames(seconds, 10.5, 1).tolist() == [3, 4]
    assert Sampling(None, 4, 1, at="ends").frames(seconds, 10.5, 1).tolist() == [0, 3, 4]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"fps": 0.0, "max_frames": 8, "min_frames": 1},
        {"fps": None, "max_frames": 1, "min_frames": 2},
        {"fps": None, "max_frames": 8, "min_frames": 0},
        {"fps": None, "max_frames": 8, "min_frames": 1, "timestamps": ()},
        {"fps": None, "max_frames": 8, "min_frames": 1, "timestamps": (-1.0,)},
        {"fps": None, "max_frames": 8, "min_frames": 1, "at": "start"},
    ],
)
def test_bad_values_name_their_key(kwargs: dict) -> None:
    with pytest.raises(ValueError, match=r"sampling\."):
        Sampling(**kwargs)


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(st.floats(0.01, 5.0), max_size=60),
    fps=st.one_of(st.none(), st.floats(0.05, 30.0)),
    most=st.integers(2, 50),
    least=st.integers(1, 2),
    tick=st.integers(1, 2),
)
def test_numbers_ascend_exist_and_keep_the_cap(
    steps: list[float], fps: float | None, most: int, least: int, tick: int
) -> None:
    seconds = np.concatenate([[0.0], np.cumsum(steps)])
    chosen = Sampling(fps, most, least).frames(seconds, float(seconds[-1]) + 0.5, tick)
    assert 1 <= len(chosen) <= min(most, len(seconds))
    assert (np.diff(chosen) > 0).all()
    assert chosen[0] == 0
    assert chosen[-1] == len(seconds) - 1 or len(chosen) == 1
