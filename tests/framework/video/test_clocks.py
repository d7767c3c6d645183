"""Times of pictures by hand: a clock of 10 units a second, 2 pictures a second."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from framework.video.clocks import by_clock, collide, one_clock, restarts, spread
from framework.video.demux import NONE, Listing


def listing(clocks: list[int], container: str = "mpegts") -> Listing:
    count = len(clocks)
    yes, no, zeros = np.ones(count, bool), np.zeros(count, bool), np.zeros(count, np.int64)
    return Listing(
        stamps=np.array(clocks, np.int64),
        clocks=np.array(clocks, np.int64),
        bytes=zeros,
        keyframe=yes,
        clean=yes,
        corrupt=no,
        shown=yes,
        lengths=zeros,
        base=0.1,
        frame_seconds=0.5,
        declared=0.0,
        start=0.0,
        end_bytes=0,
        container=container,
    )


def test_a_clock_goes_back_or_ahead() -> None:
    clocks = [0, 5, 10, 7, NONE, 12, 200]  # back by .3 s; 18.8 s ahead
    back, ahead = restarts(listing(clocks))
    assert np.flatnonzero(back).tolist() == [3] and np.flatnonzero(ahead).tolist() == [6]
    assert not restarts(listing(clocks, "mov,mp4"))[1].any()  # a long picture is no jump there
    assert not restarts(listing([10, 8]))[0].any()  # .2 s


@pytest.mark.parametrize(
    ("stamps", "told"),
    [([0, 5, 10], False), ([0, 0, 5, 5], False), ([0, 5, 0], True), ([0, 0, 0, 5], True)],
)
def test_two_fields_share_a_time_and_nothing_else_does(stamps: list[int], told: bool) -> None:
    assert collide(np.array(stamps)) is told


def test_pictures_are_shown_later_than_decoded() -> None:
    order = np.array([0, 2, 1, 3])  # the third packet is shown second: one picture waits
    assert by_clock(order, listing([0, 5, 10, 15])).tolist() == [5, 10, 15, 20]


def test_even_times_stay_even(caplog: pytest.LogCaptureFixture) -> None:
    times = np.array([0, 7, NONE, 15])  # the second is .2 s late, which is less than four pictures
    assert spread(times, listing([0] * 4), "film").tolist() == [0, 0.5, 1, 1.5] and not caplog.records
    assert spread(np.full(3, NONE), listing([0] * 3), "film").tolist() == [0, 0.5, 1]


def test_a_gap_is_kept_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = spread(np.array([NONE, 5, 10, 100, NONE]), listing([0] * 5), "film")
    assert found.tolist() == [0, 0.5, 1, 10, 10.5]
    assert "film: its times are uneven by up to 8.50 s" in caplog.text


def test_parts_follow_one_another() -> None:
    seconds = np.array([3.0, 3.5, 1.0, 1.5, 0.0])
    moved = one_clock(seconds, np.array([0, 0, 1, 1, 2]), listing([0] * 5))
    assert moved.tolist() == [0, 0.5, 1, 1.5, 2]
