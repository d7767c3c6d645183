"""Cells of a sweep: written down and read back, compared with the first one that answered, by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framework.evaluation.statistics import difference_interval, mean_interval
from framework.evaluation.sweep import SEED, SweepRun, compare, read_runs, varying_keys

VIDEOS, QUESTIONS = 6, 2


def made(folder: Path, number: int, right: list[int], first: int = 0, videos: str = "v", **choices: str) -> SweepRun:
    """A run folder whose question `i` (from `first` on) scored `right[i]`; two questions per video."""
    folder = folder / f"run{number}"
    folder.mkdir()
    lines = [
        {
            "id": f"q{i}",
            "video": f"{videos}{i // QUESTIONS}",
            "correct": score,
            "parsed": "AB"[score],
            "answer": "",
            "groups": {},
            "probabilities": [0.5, 0.5],
        }
        for i, score in enumerate(right, start=first)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = {"benchmark": "toy", "n": len(lines), "accuracy": sum(right) / len(right), "tokens_kept_mean": number}
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
    choices = [{"a": "1", "c": "3", "b": "2"}, {"a": "1", "b": "3"}]
    assert varying_keys(choices) == ["c", "b"] and varying_keys(choices[:1]) == []


def test_cells_are_paired_with_the_first_and_corrected_together(tmp_path: Path) -> None:
    one = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    two = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # loses six questions on three videos: p = 2 / 2^3
    three = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1]  # one each way: p = 1
    runs = [made(tmp_path, number, right) for number, right in enumerate((one, two, three))]
    first, second, third = compare(runs)
    assert first.versus is None and second.versus is not None and third.versus is not None
    assert second.paired == third.paired == 12
    assert second.versus.p_videos == pytest.approx(2 / 8) and third.versus.p_videos == 1
    assert second.versus.p_mcnemar == pytest.approx(2 / 64)
    assert second.versus.p_videos_holm == pytest.approx(4 / 8) and third.versus.p_videos_holm == 1  # two comparisons
    assert first.chance == second.chance == 0.5 and not first.replicated
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


A1, B1 = [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 0, 0]  # three videos of two questions
A2, B2 = [1, 1, 1, 0, 1, 0], [0, 0, 1, 0, 0, 1]


def seeds(tmp_path: Path, *names: str) -> list[SweepRun]:
    """Two options with two seeds each, the seed typed first; `names` are what the videos of each seed are called."""
    rights = ((A1, "1", "a", names[0]), (B1, "1", "b", names[0]), (A2, "2", "a", names[1]), (B2, "2", "b", names[1]))
    return [
        made(tmp_path, number, right, 0, videos, seed=seed, option=option)
        for number, (right, seed, option, videos) in enumerate(rights)
    ]


def test_runs_that_differ_in_their_seed_alone_are_one_row(tmp_path: Path) -> None:
    first, second = compare(seeds(tmp_path, "one-", "two-"))
    assert [row.choices for row in (first, second)] == [{"option": "a"}, {"option": "b"}]
    assert [[cell.run.number for cell in row.cells] for row in (first, second)] == [[0, 2], [1, 3]]
    assert [[cell.seed for cell in row.cells] for row in (first, second)] == [["1", "2"]] * 2
    assert first.accuracy is not None and first.accuracy.value == pytest.approx(8 / 12)
    assert (second.summary["n"], second.summary["videos"], second.paired) == (12, 6, 12)
    assert second.summary["tokens_kept_mean"] == 2.0  # of runs 1 and 3, six questions each
    # each seed has videos of its own: six, of which three differ, by -1, -2 and 0 (one each way)
    assert second.versus is not None and first.versus is None
    assert second.versus.difference.value == pytest.approx(-3 / 12)
    assert second.versus.p_videos == pytest.approx(2 / 4)
    names = [f"{seed}{i // 2}" for seed in ("one-", "two-") for i in range(6)]
    assert second.versus.difference == difference_interval(B1 + B2, A1 + A2, names)
    assert second.accuracy == mean_interval(B1 + B2, names)
    assert [cell.versus.difference.value for cell in second.cells if cell.versus] == pytest.approx([-1 / 6, -2 / 6])


def test_seeds_of_one_video_are_drawn_and_flipped_together(tmp_path: Path) -> None:
    _, second = compare(seeds(tmp_path, "v", "v"))
    assert second.versus is not None and second.summary["videos"] == 3
    # of the first video both seeds lose: -1 and -2 are one difference of -3, and of one video nothing can be said
    assert second.versus.difference.value == pytest.approx(-3 / 12) and second.versus.p_videos == 1.0
    assert second.versus.difference == difference_interval(B1 + B2, A1 + A2, [f"v{i // 2}" for i in range(6)] * 2)


def test_a_seed_that_failed_is_left_out_of_its_row(tmp_path: Path) -> None:
    runs = seeds(tmp_path, "one-", "two-")
    runs[2] = SweepRun(2, runs[2].choices, tmp_path / "nowhere", "it broke", 1)
    first, second = compare(runs)
    assert first.summary["n"] == 6 and second.summary["n"] == 12
    assert second.paired == 6 and second.versus is not None  # seed 2 has no partner
    assert second.versus.difference.value == pytest.approx(-1 / 6) and second.cells[1].versus is None


def test_seeds_alone_are_one_row_and_a_seed_counts_once(tmp_path: Path) -> None:
    runs = [made(tmp_path, 0, A1, **{SEED: "1"}), made(tmp_path, 1, A2, **{"+seed": "2"})]
    (row,) = compare([*runs, replace(runs[0], number=2)])
    assert row.replicated and row.versus is None and row.summary["n"] == 12 and len(row.cells) == 2
    assert [one.replicated for one in compare(runs[:1])] == [False]
