"""The gate, on two short videos, and what passes it."""

from __future__ import annotations

import pytest

from experiments.common import composing
from experiments.lab.gate import Cell, Reader, cell, main


def test_the_shipped_model_reads_one_attribute(capsys: pytest.CaptureFixture[str]) -> None:
    main(["backbone=lab", "splits=attribute", "frames=256,4096", "kept=8,32", "videos=2", "seed=1"])
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.strip().splitlines()[2:]]
    assert [line[:3] for line in lines] == [["attribute", n, k] for n in ("256", "4,096") for k in ("8", "32")]
    assert {line[-1] for line in lines} == {"yes"} and all(float(line[3].split()[0]) == 1 for line in lines)


def test_the_model_for_comparisons_reads_every_split_of_films_of_any_length() -> None:
    with composing():
        reader = Reader.of({"backbone": "lab", "checkpoint": ""})
    for split in ("attribute", "conjunction", "two_evidence", "when", "order"):
        for frames in (256, 10_000):
            found = cell(reader, split, frames, 32, 3, 11)
            assert sum(found.right) >= 14 and found.with_needles < 0.2 and found.without > 0.85  # of 15 questions


def test_what_was_not_learned_does_not_pass(gate_reader: Reader) -> None:
    found = cell(gate_reader, "count", 256, 32, 2, 1)
    assert not found.passed and len(found.right) == 10 and found.videos == ["0"] * 5 + ["1"] * 5
    assert found.without > 0.5


@pytest.fixture(scope="module")
def gate_reader() -> Reader:
    with composing():
        return Reader.of({"backbone": "lab", "checkpoint": ""})


@pytest.mark.parametrize(
    ("right", "certain", "doubt", "passed"),
    [(19, 0.1, 0.9, True), (18, 0.1, 0.9, False), (20, 0.11, 0.9, False), (20, 0.0, 0.89, False)],
)
def test_all_three_conditions_count(right: int, certain: float, doubt: float, passed: bool) -> None:
    one = Cell([1.0] * right + [0.0] * (20 - right), ["v"] * 20, certain, doubt)
    assert one.passed is passed
