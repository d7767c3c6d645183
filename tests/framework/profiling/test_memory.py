"""The bench of memory: its rows, parked bytes by hand, and wrong wishes refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.core.types import Question
from framework.profiling import peak
from framework.profiling.memory import MemoryBench
from framework.profiling.null_backbone import Shapes

KEYS: dict[str, Any] = {
    "preset": "adapttoken",
    "frames": (64, 128),
    "questions": 7,
    "shapes": Shapes(3, 4, 64, 2, 8, 50, "bfloat16"),
    "parked_frames": (20,),
    "parked_questions": (1, 3),
    "ticks": 4,
    "budget": 20,
    "alike": 0.5,
    "seed": 0,
}
TOKEN = 2 * 64 + 4 * 8  # bytes: a bfloat16 embedding, then tick, row, column and seconds


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, list[str]]] = []

    def of_process(preset: str, path: str, questions: Sequence[Question], frames: int) -> peak.Peak:
        asked.append((frames, [question.id for question in questions]))
        return peak.Peak(frames * 10**6, frames * 2 * 10**6 + 64 * 10**6)

    monkeypatch.setattr(peak, "of_process", of_process)
    rows = list(MemoryBench(**KEYS).rows())
    assert asked == [(frames, [f"q{place}" for place in range(7)]) for frames in (64, 128)]
    assert [list(row.values())[:-1] for row in rows[:2]] == [
        ["lab", 64, 7, 64.0, 1.0, 192.0, 1.0],
        ["lab", 128, 7, 128.0, 2.0, 320.0, 1.667],
    ]
    assert [(row["model"], row["frames"], row["questions"]) for row in rows[2:]] == [
        ("shapes", 20, 1),
        ("shapes", 20, 3),
    ]
    assert len({tuple(row) for row in rows}) == 1  # the same columns
    assert rows[0]["parked MB"] == rows[2]["x"] == "" and rows[3]["parked MB"] >= rows[2]["parked MB"] > 0


def test_parked_bytes() -> None:
    bench = MemoryBench(**KEYS)
    one, three = bench._parked(20, 1), bench._parked(20, 3)  # 10 ticks, in groups of 4, 3 and 3
    assert 20 * TOKEN <= one <= 3 * 22 * TOKEN  # no group gives more than 1.1 x 20
    assert one <= three <= 3 * one and one % TOKEN == three % TOKEN == 0
    every = MemoryBench(**{**KEYS, "budget": 1000})._parked(20, 1)
    assert every == 10 * 12 * TOKEN


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": "nothing"}, "what.preset: got 'nothing', expected one of .*uniform"),
        ({"frames": (32,)}, r"what.frames: got \[32\], expected at least one number from 64 on"),
        ({"frames": (64, 20000)}, "what.frames: got 20000, expected at most 10000"),
        ({"parked_frames": (0,)}, r"what.parked_frames: got \[0\]"),
        ({"parked_questions": (2, 1)}, r"what.parked_questions: got \[2, 1\], expected .* in ascending order"),
        ({"questions": 0}, "what.questions: got 0, expected at least 1"),
        ({"frames": (), "parked_questions": ()}, "what.frames: got an empty list, expected a number there or in"),
        ({"alike": -0.1}, "what.alike: got -0.1"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MemoryBench(**{**KEYS, **change})


def test_too_little_memory_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.profiling.checks.free_bytes", lambda _: 10_000.0)
    with pytest.raises(UsageError, match=r"what.parked_frames: got 20, .* expected at most 13"):  # 768 bytes a frame
        next(MemoryBench(**KEYS).rows())
