"""What answer.json says of the backbone, and its form for one question and for several."""

from __future__ import annotations

import pytest

from framework.core.outcome import Cost, Outcome, Trace
from framework.core.types import Answer, Question
from framework.report.data import answers_data, backbone_line, outcome_data


def outcome(name: str) -> Outcome:
    return Outcome(Question(name, "a", "a"), Answer("b"), Trace((), {"probe": Cost(1.0, 2)}, 0, 0, 0, 0, 0), None)


def test_one_outcome_stays_as_it_is_and_several_are_a_list() -> None:
    spent = {"probe": Cost(2.0, 3)}
    assert answers_data([outcome("x")], "v.mp4", spent) == outcome_data(outcome("x"), "v.mp4")
    data = answers_data([outcome("x"), outcome("y")], "v.mp4", spent)
    assert list(data) == ["video", "together", "answers"] and data["video"] == "v.mp4"
    assert [one["id"] for one in data["answers"]] == ["x", "y"] and "video" not in data["answers"][0]
    assert (data["together"]["passes"], data["together"]["passes_alone"]) == (3, 4)


@pytest.mark.parametrize(
    ("checkpoint", "parameters", "size_bytes", "line"),
    [
        ("asset:lab", 1_432_096, 5_728_384, "asset:lab, 1.4 M parameters (5.7 MB)"),
        ("a/b", 8_292_166_656, 16_584_333_312, "a/b, 8.3 G parameters (16.6 GB)"),
        (None, 999, 1000, "999 parameters (1.0 kB)"),
        ("x", None, None, "x"),
        (None, None, None, "size unknown"),
    ],
)
def test_a_backbone_in_a_few_words(
    checkpoint: str | None, parameters: int | None, size_bytes: int | None, line: str
) -> None:
    about = {"name": "n", "checkpoint": checkpoint, "parameters": parameters, "bytes": size_bytes}
    assert backbone_line(about) == line
