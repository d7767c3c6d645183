"""The controls: one sees exactly where the needles are, one sees nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.common import composing
from experiments.yardstick.answering import Cell
from experiments.yardstick.method import methods

COMMON = ("backbone=lab", "benchmark=needle")
VALUES = {"benchmark.videos": 2, "benchmark.frames": 128, "benchmark.questions": 3, "seed": 5}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[dict[str, Any]]]]:
    monkeypatch.chdir(tmp_path)
    cell = Cell(COMMON, {**VALUES, "benchmark.folder": str(tmp_path / "videos")}, 16, "controls")
    with composing():
        runs = {
            one.name: cell.answered(one.name, one.words(one.published), 16) for one in methods(["oracle", "no_video"])
        }
    yield {
        name: [json.loads(line) for line in (run / "questions.jsonl").read_text().splitlines()]
        for name, run in runs.items()
    }


def test_one_keeps_every_token_of_the_needles_and_one_answers_without_the_video(
    found: dict[str, list[dict[str, Any]]],
) -> None:
    oracle, blind = found["oracle"], found["no_video"]
    assert len(oracle) == len(blind) == 6
    assert all(line["evidence_kept"] == 1 and line["tokens_kept"] == 16 and line["correct"] for line in oracle)
    assert all(max(line["probabilities"]) < 0.5 for line in blind)
