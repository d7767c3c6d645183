"""One run against another: differences, both tests, and what is said where an interval must be read with care."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from framework.evaluation.versus import correct, versus


def test_agreeing_runs_get_an_honest_interval(made_line: Callable[..., dict[str, Any]]) -> None:
    lines = [made_line(place, 1) for place in range(80)]
    found = versus(lines, lines, [line["video"] for line in lines], resamples=200)
    bound = 1 - 0.05 ** (1 / 40)
    assert (found.difference.low, found.difference.high) == pytest.approx((-bound, bound))
    assert found.p_mcnemar == found.p_videos == found.same_answer == 1.0
    assert found.note == "no disagreement: exact bound over videos"
    assert 0.18 < found.detectable < 0.22  # six of 40 videos must be seen to differ, not zero


def test_the_same_difference_everywhere_and_a_single_video(made_line: Callable[..., dict[str, Any]]) -> None:
    ours, theirs = ([made_line(place, score) for place in range(12)] for score in (1, 0))
    videos = [line["video"] for line in ours]
    found = versus(ours, theirs, videos, resamples=200)
    assert found.difference.high == 1.0 and found.difference.low == pytest.approx(1 - 2 * (1 - 0.05 ** (1 / 6)))
    assert found.note == "the same difference in every video: exact bound over videos"
    assert versus(ours, theirs, ["v"] * 12, resamples=200).note == "one video: no interval"


def test_graded_scores_are_tested_by_sign_flips(made_line: Callable[..., dict[str, Any]]) -> None:
    ours = [made_line(place, 0.75) for place in range(12)]
    theirs = [made_line(place, 0.75 if place < 2 else 0.25) for place in range(12)]
    found = versus(ours, theirs, [line["video"] for line in ours], resamples=2000)
    assert found.p_mcnemar is None and found.p_videos == pytest.approx(2 * 0.5**5)
    assert found.note == "only 5 videos differ: a rough interval, and p cannot be below 0.0625"
    assert (found.both_right, found.only_run, found.only_reference, found.both_wrong) == (0, 10, 0, 0)


def test_answers_are_compared_as_they_were_read(made_line: Callable[..., dict[str, Any]]) -> None:
    first = [made_line(0, 0, parsed="B", answer="B."), made_line(1, 0, parsed=None, answer="who knows")]
    second = [made_line(0, 0, parsed="B", answer="It is B"), made_line(1, 0, parsed=None, answer="not me")]
    assert versus(first, second, ["a", "b"], resamples=200).same_answer == 0.5


def test_differences_that_cancel_within_a_video_are_a_disagreement(made_line: Callable[..., dict[str, Any]]) -> None:
    ours = [made_line(place, place % 2) for place in range(12)]
    theirs = [made_line(place, 1 - place % 2) for place in range(12)]
    found = versus(ours, theirs, [line["video"] for line in ours], resamples=200)
    assert (found.difference.value, found.p_videos, found.only_run, found.only_reference) == (0.0, 1.0, 6, 6)
    assert found.note == "the same difference in every video: exact bound over videos"


def test_holm_by_hand(made_line: Callable[..., dict[str, Any]]) -> None:
    lines = [made_line(place, 1) for place in range(4)]
    one = versus(lines, lines, ["a", "a", "b", "b"], resamples=200)
    family = correct([replace(one, p_videos=p) for p in (0.01, 0.04, 0.03)])
    assert [found.p_videos_holm for found in family] == pytest.approx([0.03, 0.06, 0.06])
    assert [found.p_videos for found in family] == [0.01, 0.04, 0.03]
