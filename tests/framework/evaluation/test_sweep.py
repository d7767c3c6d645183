"""Cells of a sweep: written down and read back, compared with the first one that answered, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framework.evaluation.statistics import difference_interval
from framework.evaluation.sweep import SweepRun, compare, read_runs, varying_keys

VIDEOS, QUESTIONS = 6, 2


def made(folder: Path, number: int, right: list[int], first: int = 0, **choices: str) -> SweepRun:
    """A run folder whose question `i` (from `first` on) scored `right[i]`; two questions per video."""
    folder = folder / f"run{number}"
    folder.mkdir()
    lines = [
        {
            "id": f"q{i}",
            "video": f"v{i // QUESTIONS}",
            "correct": score,
            "parsed": "AB"[score],
            "answer": "",
            "groups": {},
        }
        for i, score in enumerate(right, start=first)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = {"benchmark": "toy", "n": len(lines), "accuracy": sum(right) / len(right)}
    (folder / "summary.json").write_text(json.dumps(summary))
    return SweepRun(number, choices, folder)


def test_cells_are_read_back_in_their_order(tmp_path: Path) -> None:
    runs = [
        SweepRun(n, {"budget": str(n)}, tmp_path / str(n), "why" if n == 2 else "", 2 * (n == 2)) for n in (10, 2, 0)
    ]
    for run in runs:
        run.keep(tmp_path / "runs")
        run.keep(tmp_path / "runs")  # the same again
    assert read_runs(tmp_path / "runs") == runs[::-1]
    assert read_runs(tmp_path / "nothing") == []


def test_only_keys_that_differ_are_named() -> None:
    runs = [SweepRun(0, {"a": "1", "b": "2", "c": "3"}, Path()), SweepRun(1, {"a": "1", "b": "3"}, Path())]
    assert varying_keys(runs) == ["b", "c"] and varying_keys(runs[:1]) == []


def test_cells_are_paired_with_the_first_and_corrected_together(tmp_path: Path) -> None:
    one = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    two = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # loses six: p = 2 / 2^6
    three = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1]  # one each way: p = 1
    runs = [made(tmp_path, number, right) for number, right in enumerate((one, two, three))]
    first, second, third = compare(runs)
    assert first.versus is None and second.versus is not None and third.versus is not None
    assert second.paired == third.paired == 12
    assert second.versus.p == pytest.approx(2 / 64) and third.versus.p == 1
    assert second.versus.p_holm == pytest.approx(4 / 64) and third.versus.p_holm == 1  # two comparisons
    videos = [f"v{i // 2}" for i in range(12)]
    assert second.versus.difference == difference_interval(two, one, videos)
    assert second.versus.difference.value == -0.5


def test_only_common_questions_are_compared(tmp_path: Path) -> None:
    runs = [made(tmp_path, 0, [1, 1, 0, 0]), made(tmp_path, 1, [1, 1, 1, 1], 2), made(tmp_path, 2, [1, 0], 100)]
    _, second, third = compare(runs)
    assert second.paired == 2 and second.versus is not None and second.versus.difference.value == 1
    assert third.versus is None and third.paired == 0 and third.summary["n"] == 2


def test_the_first_that_answered_is_what_others_are_compared_with(tmp_path: Path) -> None:
    failed = SweepRun(0, {}, tmp_path / "nowhere", "it broke", 1)
    runs = [failed, made(tmp_path, 1, [1, 0]), replace(made(tmp_path, 2, [1, 1]), failure="too many failed", status=1)]
    first, second, third = compare(runs)
    assert not first.summary and first.versus is None and second.versus is None
    assert third.versus is not None and third.versus.difference.value == 0.5  # what it has is shown all the same
    assert [row.summary for row in compare([failed])] == [{}]


def test_nothing_answered_is_nothing_to_compare(tmp_path: Path) -> None:
    run = made(tmp_path, 0, [1])
    (run.folder / "summary.json").write_text(json.dumps({"n": 0, "accuracy": None}))
    rows: list[Any] = compare([run])
    assert rows[0].summary == {} and rows[0].versus is None
