"""The bench of growth: the fit, the sizes of the runs, and wrong wishes refused."""

from __future__ import annotations

from typing import Any

import pytest

from framework.profiling.base import Spent
from framework.profiling.scaling import ScalingBench, fitted

KEYS: dict[str, Any] = {
    "preset": "adapttoken",
    "frames": (64, 128),
    "groups": (1, 5),
    "questions": (1, 6),
    "at_frames": 64,
    "at_questions": 2,
    "rounds": 1,
    "seed": 0,
}


def test_rows() -> None:
    rows = list(ScalingBench(**KEYS).rows())
    assert [(row["axis"], row["frames"], row["groups"], row["questions"]) for row in rows] == [
        ("frames", 64, 2, 2),  # 32 ticks, in groups of 32: floor(32 / 32) + 1
        ("frames", 128, 3, 2),
        ("groups", 64, 1, 2),
        ("groups", 64, 5, 2),  # of 7 ticks at most
        ("questions", 64, 2, 1),
        ("questions", 64, 2, 6),
    ]
    assert all(rows[place]["exponent"] == rows[place + 1]["exponent"] for place in (0, 2, 4))


def test_an_axis_can_be_left_out() -> None:
    rows = list(ScalingBench(**{**KEYS, "frames": (), "questions": ()}).rows())
    assert [row["axis"] for row in rows] == ["groups", "groups"]


def test_the_fit() -> None:
    square = [[Spent(3 * n**2, 7 / n)] for n in (1, 4, 10)]
    assert fitted([1, 4, 10], square, 0) == pytest.approx(2)
    assert fitted([1, 4, 10], square, 1) == pytest.approx(-1)
    rounds = [[Spent(1, 1)] * 3, [Spent(1, 1), Spent(2, 1), Spent(64, 1)]]  # exponents 0, 1 and 6
    assert fitted([1, 2], rounds, 0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": "nothing"}, "what.preset: got 'nothing', expected one of .*uniform"),
        ({"frames": (32, 64)}, r"what.frames: got \[32, 64\], expected at least one number from 64 on"),
        ({"frames": (64, 20000)}, "what.frames: got 20000, expected 64 to 10000"),
        ({"at_frames": 10}, "what.at_frames: got 10, expected 64 to 10000"),
        ({"groups": (4,)}, r"what.groups: got \[4\], expected two numbers at least, or \[\] for none"),
        ({"groups": (4, 33)}, "what.groups: got 33, expected at most what.at_frames / 2 = 32"),
        ({"questions": (0, 2)}, r"what.questions: got \[0, 2\]"),
        ({"frames": (), "groups": (), "questions": ()}, "what.frames: got an empty list, as what.groups and"),
        ({"rounds": 0}, "what.rounds: got 0"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ScalingBench(**{**KEYS, **change})
