"""A comparison of written runs against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.evaluation.comparison import Comparison, Row, compare, versus
from framework.evaluation.runs import load

REFERENCE = [1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
#        better:   x  x        x  x        worse: 10
BETTER = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
OTHER = [1, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0]

Writer = Callable[..., Path]


@pytest.fixture
def compared(write_run: Writer, tmp_path: Path) -> Comparison:
    folders = [
        write_run(tmp_path / "a", REFERENCE, "uniform"),
        write_run(tmp_path / "b", BETTER, "adapttoken", config={"budget": 16}),
        write_run(tmp_path / "c", OTHER, "vote", commit="def"),
    ]
    return compare([load(folder) for folder in folders], resamples=500)


def row(rows: tuple[Row, ...], run: str, label: str = "") -> Row:
    (found,) = [one for one in rows if (one.run, one.label) == (run, label)]
    return found


def test_rows_by_hand(compared: Comparison) -> None:
    assert [one.run for one in compared.rows] == ["uniform", "adapttoken", "vote"] and not compared.warnings
    reference, better = row(compared.rows, "uniform"), row(compared.rows, "adapttoken")
    assert reference.versus is None and (reference.n, reference.videos) == (12, 6)
    assert reference.accuracy.value == pytest.approx(6 / 12) and better.accuracy.value == pytest.approx(10 / 12)
    assert (better.tokens_kept, better.tokens_seen, better.groups_visited) == (8, 32, 0.5)
    assert better.seconds == pytest.approx(sum(range(12)) / 12)
    found = better.versus
    assert found is not None and found.test == "McNemar"
    assert found.difference.value == pytest.approx(4 / 12)
    assert found.difference.low <= 4 / 12 <= found.difference.high
    assert (found.both_right, found.only_run, found.only_reference, found.both_wrong) == (6, 4, 0, 2)
    assert found.same_answer == pytest.approx(8 / 12)
    assert found.p == pytest.approx(2 * 0.5**4)  # four disagreements, all one way
    assert found.p_videos == pytest.approx(2 * 0.5**2)  # they are in two videos
    assert found.note == "only 2 videos differ: a rough interval"


def test_holm_over_all_runs_of_all_benchmarks(compared: Comparison) -> None:
    better, other = (row(compared.rows, name).versus for name in ("adapttoken", "vote"))
    assert better is not None and other is not None
    assert other.p == 1.0 and better.p_holm == pytest.approx(2 * better.p)
    assert better.p_videos_holm == pytest.approx(2 * better.p_videos)
    strata = [one.versus for one in compared.strata if one.versus is not None]
    assert len(strata) == 4  # two runs, two labels; the split has one label and is no stratum
    smallest = min(strata, key=lambda one: one.p)
    assert smallest.p == pytest.approx(2 * 0.5**2) and smallest.p_holm == 1.0


def test_strata(compared: Comparison) -> None:
    colour = row(compared.strata, "vote", "colour")
    assert (colour.dimension, colour.n, colour.videos) == ("asked", 6, 6)
    assert colour.versus is not None and colour.versus.difference.value == pytest.approx(-1 / 6)
    assert colour.versus.only_reference == 1


def test_signals_calibration_and_what_differs(compared: Comparison) -> None:
    signals = {(run, one.reading, one.signal): one for _, run, one in compared.signals}
    entropy = signals["uniform", "answer", "entropy"]
    assert (entropy.n, entropy.right, entropy.auroc.value) == (12, 6, 0.0)
    assert signals["uniform", "best group", "relevance"].auroc.value == 1.0
    calibrations = {run: found for _, run, found in compared.calibrations}
    # right answers at .9, wrong ones at .6: each bin is off by its distance
    assert calibrations["uniform"].error.value == pytest.approx((6 * 0.1 + 6 * 0.6) / 12)
    assert {(d.run, d.key, d.reference, d.value) for d in compared.differences} == {
        ("adapttoken", "budget", "8", "16"),
        ("vote", "versions.commit", "abc", "def"),
    }


def test_the_same_every_time(compared: Comparison) -> None:
    again = compare([*compared.parts[0].runs], resamples=500)
    assert again.rows == compared.rows and again.calibrations == compared.calibrations


def test_agreeing_runs_get_an_honest_interval(made_line: Callable[..., dict[str, Any]]) -> None:
    lines = [made_line(place, 1) for place in range(80)]
    found = versus(lines, lines, [line["video"] for line in lines], resamples=200)
    bound = 1 - 0.05 ** (1 / 40)
    assert (found.difference.low, found.difference.high) == pytest.approx((-bound, bound))
    assert found.p == found.p_videos == found.same_answer == 1.0
    assert found.note == "no disagreement: exact bound over videos"
    assert 0.09 < found.detectable < 0.11  # six of 80 must be seen to differ, not zero


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
    assert found.test == "sign flips" and found.p == found.p_videos == pytest.approx(2 * 0.5**5)
    assert (found.both_right, found.only_run, found.only_reference, found.both_wrong) == (0, 10, 0, 0)


def test_answers_are_compared_as_they_were_read(made_line: Callable[..., dict[str, Any]]) -> None:
    first = [made_line(0, 0, parsed="B", answer="B."), made_line(1, 0, parsed=None, answer="who knows")]
    second = [made_line(0, 0, parsed="B", answer="It is B"), made_line(1, 0, parsed=None, answer="not me")]
    assert versus(first, second, ["a", "b"], resamples=200).same_answer == 0.5


def test_answers_without_probabilities_have_no_calibration(
    write_run: Writer, made_line: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    lines = [made_line(place, 1, probabilities=[], entropy=None) for place in range(4)]
    folders = [write_run(tmp_path / name, lines=lines, preset=name) for name in "ab"]
    (folders[1] / "timings.jsonl").unlink()
    found = compare([load(folder) for folder in folders], resamples=200)
    assert found.calibrations == () and [one.seconds for one in found.rows] == [1.5, None]
    assert {one.reading for _, _, one in found.signals} == {"best group"}
