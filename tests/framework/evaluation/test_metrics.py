"""Lines and summaries by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from framework.benchmarks.base import Absent, Benchmark, Item, Result, VideoItem
from framework.core.outcome import GroupTrace, Outcome, Trace
from framework.core.types import Answer
from framework.evaluation.metrics import known_mean, question_line, summarise
from framework.testing.toys import QUESTION


class Toy(Benchmark):
    name = "toy"

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: int) -> VideoItem:
        raise IndexError(index)

    @property
    def absent(self) -> Absent:
        return Absent({"c": 2})


def test_summary_by_hand() -> None:
    def line(
        name: str, video: str, split: str, correct: float, visited: int, found: bool | None, **more: object
    ) -> dict[str, object]:
        counts = {
            "groups_total": 4,
            "groups_visited": visited,
            "tokens_total": 64,
            "tokens_seen": 16 * visited,
            "tokens_kept": 8,
        }
        said = {"correct": correct, "parsed": "A" if found is not None else None, "answer": "A"}
        return {
            "id": name,
            "video": video,
            "strata": {"split": [split]},
            "evidence_found": found,
            **said,
            **counts,
            **more,
        }

    lines = [
        line("1", "a", "when", 1.0, 4, True, evidence_kept=0.75),
        line("2", "a", "order", 0.0, 2, False, evidence_kept=0.25),
        line("3", "b", "when", 1.0, 1, None, evidence_kept=None),
        line("4", "b", "when", 1.0, 1, True),
    ]
    timings = [{"seconds": 0.5 * i, "stages": {"decode": 0.25 * i}, "peak_bytes": i} for i in range(1, 5)]
    found = summarise(Toy(), lines, timings, [{"id": "5", "error": "OSError: gone"}], resamples=200)
    assert (found["accuracy"], found["n"], found["videos"]) == (0.75, 4, 2)
    assert found["groups_visited_share"] == 0.5 and found["tokens_seen"] == 32 and found["tokens_kept_mean"] == 8
    assert found["evidence_found"] == pytest.approx(2 / 3)
    assert found["evidence_kept"] == 0.5  # of the two that know: the last line is of an older run
    assert found["strata"]["split"]["when"]["evidence_kept"] == 0.75
    assert found["strata"]["split"]["when"]["accuracy"] == 1.0 and found["strata"]["split"]["order"]["n"] == 1
    assert found["score"] == {"accuracy": 0.75} and found["unparsed"] == 1
    assert found["failed"] == 1 and found["errors"] == {"5": "OSError: gone"} and found["absent"]["videos"] == {"c": 2}
    assert found["seconds"] == 5.0 and found["seconds_by_stage"] == {"decode": 2.5} and found["peak_bytes"] == 4
    low, high = found["accuracy_interval"]
    assert 0.5 <= low <= 0.75 <= high <= 1.0


def test_damaged_ticks_are_counted_once_per_video_and_only_where_there_are_any() -> None:
    item, result = Item(QUESTION, "A", {}), Result(1.0, "A", "A", {})
    group = GroupTrace(0, (0.0, 1.0), 0, -1.0, 1.0, "nats", {}, 0, 3, 3)
    healthy = Outcome(QUESTION, Answer("A", 0, (0.75, 0.25), 0.56), Trace((group,), {}, 6, 12, 3, 4, 5), None)
    lines = [
        question_line(video, item, replace(healthy, trace=replace(healthy.trace, damaged_ticks=ticks)), result)
        for video, ticks in (("a", 0), ("a", 3), ("a", 2), ("b", 4), ("c", 0))
    ]
    assert [line.get("damaged_ticks") for line in lines] == [None, 3, 2, 4, None]
    assert lines[0] == question_line("a", item, healthy, result)
    assert lines[0]["question"] == QUESTION.bare and lines[0]["options"] == QUESTION.options
    assert summarise(Toy(), lines, [], resamples=2)["damaged_ticks"] == 3 + 4
    assert "damaged_ticks" not in summarise(Toy(), lines[:1], [], resamples=2)


def test_what_no_line_knows_has_no_mean() -> None:
    assert known_mean([{"evidence_kept": None}, {}], "evidence_kept") is None
    assert known_mean([{"evidence_kept": 0.0}, {}], "evidence_kept") == 0


def test_summary_of_nothing() -> None:
    assert summarise(Toy(), [], [])["n"] == 0
