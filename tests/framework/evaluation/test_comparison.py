"""A comparison of written runs against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.evaluation.comparison import Comparison, Row, compare
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
    assert reference.chance == 0.5  # two options
    assert reference.versus is None and (reference.n, reference.videos) == (12, 6)
    assert reference.accuracy.value == pytest.approx(6 / 12) and better.accuracy.value == pytest.approx(10 / 12)
    assert (better.tokens_kept, better.tokens_seen, better.groups_visited) == (8, 32, 0.5)
    assert better.seconds == pytest.approx(sum(range(12)) / 12)
    found = better.versus
    assert found is not None
    assert found.difference.value == pytest.approx(4 / 12)
    assert found.difference.low <= 4 / 12 <= found.difference.high
    assert (found.both_right, found.only_run, found.only_reference, found.both_wrong) == (6, 4, 0, 2)
    assert found.same_answer == pytest.approx(8 / 12)
    assert found.p_mcnemar == pytest.approx(2 * 0.5**4)  # four disagreements, all one way
    assert found.p_videos == pytest.approx(2 * 0.5**2)  # they are in two videos
    assert found.note == "only 2 videos differ: a rough interval, and p cannot be below 0.5"


def test_holm_over_all_runs_of_all_benchmarks(compared: Comparison) -> None:
    better, other = (row(compared.rows, name).versus for name in ("adapttoken", "vote"))
    assert better is not None and other is not None
    assert other.p_videos == 1.0 and better.p_videos_holm == pytest.approx(2 * better.p_videos)
    strata = [one.versus for one in compared.strata if one.versus is not None]
    assert len(strata) == 4  # two runs, two labels; the split has one label and is no stratum
    smallest = min(strata, key=lambda one: one.p_videos)
    assert smallest.p_videos == pytest.approx(2 * 0.5**2) and smallest.p_videos_holm == 1.0


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
    assert calibrations["uniform"].error == pytest.approx((6 * 0.1 + 6 * 0.6) / 12)
    assert {(d.run, d.key, d.reference, d.value) for d in compared.differences} == {
        ("adapttoken", "budget", "8", "16"),
        ("vote", "versions.commit", "abc", "def"),
    }


def test_the_same_every_time(compared: Comparison) -> None:
    again = compare([*compared.parts[0].runs], resamples=500)
    assert again.rows == compared.rows and again.calibrations == compared.calibrations


def test_answers_without_probabilities_have_no_calibration(
    write_run: Writer, made_line: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    lines = [made_line(place, 1, probabilities=[], entropy=None) for place in range(4)]
    folders = [write_run(tmp_path / name, lines=lines, preset=name) for name in "ab"]
    (folders[1] / "timings.jsonl").unlink()
    found = compare([load(folder) for folder in folders], resamples=200)
    assert found.calibrations == () and [one.seconds for one in found.rows] == [1.5, None]
    assert {one.reading for _, _, one in found.signals} == {"best group"}
