"""Lines and summaries by hand."""

from __future__ import annotations

import pytest

from framework.evaluation.metrics import evidence_found, summarise
from framework.types import GroupTrace


def group(first: float, last: float, kept: int) -> GroupTrace:
    return GroupTrace(0, (first, last), 0, 0.0, 0.0, "", kept=kept)


@pytest.mark.parametrize(
    ("groups", "evidence", "found"),
    [
        ([group(0, 7, 0), group(8, 15, 4)], [(9.0, 13.0)], True),
        ([group(0, 7, 4), group(8, 15, 0)], [(9.0, 13.0)], False),
        ([group(0, 7, 4), group(8, 15, 4)], [(7.0, 8.0), (15.0, 19.0)], True),
        ([group(0, 7, 4), group(8, 15, 4)], [(1.0, 2.0), (16.0, 19.0)], False),
        ([group(0, 7, 4)], [], None),
    ],
)
def test_evidence_found(groups: list[GroupTrace], evidence: list[tuple[float, float]], found: bool | None) -> None:
    assert evidence_found(groups, evidence) is found


def test_summary_by_hand() -> None:
    def line(name: str, video: str, split: str, correct: float, visited: int, found: bool | None) -> dict[str, object]:
        counts = {
            "groups_total": 4,
            "groups_visited": visited,
            "tokens_total": 64,
            "tokens_seen": 16 * visited,
            "tokens_kept": 8,
        }
        return {"id": name, "video": video, "split": split, "correct": correct, "evidence_found": found, **counts}

    lines = [
        line("1", "a", "when", 1.0, 4, True),
        line("2", "a", "order", 0.0, 2, False),
        line("3", "b", "when", 1.0, 1, None),
        line("4", "b", "when", 1.0, 1, True),
    ]
    timings = [{"seconds": 0.5 * i, "stages": {"decode": 0.25 * i}, "peak_bytes": i} for i in range(1, 5)]
    found = summarise(lines, timings, resamples=200)
    assert (found["accuracy"], found["n"], found["videos"]) == (0.75, 4, 2)
    assert found["groups_visited_share"] == 0.5 and found["tokens_seen"] == 32 and found["tokens_kept_mean"] == 8
    assert found["evidence_found"] == pytest.approx(2 / 3)
    assert found["splits"]["when"]["accuracy"] == 1.0 and found["splits"]["order"]["n"] == 1
    assert found["seconds"] == 5.0 and found["seconds_by_stage"] == {"decode": 2.5} and found["peak_bytes"] == 4
    low, high = found["accuracy_interval"]
    assert 0.5 <= low <= 0.75 <= high <= 1.0


def test_summary_of_nothing() -> None:
    assert summarise([], [])["n"] == 0
