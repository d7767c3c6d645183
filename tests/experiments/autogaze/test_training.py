"""Curves of stages: gathered once per step, shown from first to last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.autogaze import training as autogaze_training
from experiments.common import read


def measured(folder: Path, stage: str, *nodes: dict[str, float]) -> None:
    (folder / f"autogaze_{stage}").mkdir(parents=True)
    (folder / f"autogaze_{stage}" / "measured.jsonl").write_text("".join(json.dumps(node) + "\n" for node in nodes))


def test_a_step_measured_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured(tmp_path, "reconstructor", {"step": 200, "loss at 5%": 0.9}, {"step": 400, "loss at 5%": 0.7})
    twice = ({"step": 200, "loss at 1": 1.0, "off at 1": 0.5}, {"step": 200, "loss at 1": 0.8, "off at 1": 0.4})
    measured(tmp_path, "ntp", *twice, {"step": 100, "loss at 1": 1.25, "off at 1": 0.75})
    autogaze_training.main([f"folder={tmp_path}", "stages=reconstructor,ntp", f"results={tmp_path}"])
    rows = read(tmp_path / "autogaze_training.csv")
    assert [(r["stage"], r["step"], r["measure"], r["value"]) for r in rows] == [
        ("reconstructor", 200, "loss at 5%", 0.9),
        ("reconstructor", 400, "loss at 5%", 0.7),
        ("ntp", 100, "loss at 1", 1.25),
        ("ntp", 100, "off at 1", 0.75),
        ("ntp", 200, "loss at 1", 0.8),
        ("ntp", 200, "off at 1", 0.4),
    ]
    said = capsys.readouterr().out
    assert "| ntp | loss at 1 | 1.250 (100) | 0.800 (200) |" in said
    left, right = autogaze_training.draw(rows).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[0.9, 0.7]]
    assert [list(line.get_ydata()) for line in right.lines] == [[1.25, 0.8]]
    assert (tmp_path / "autogaze_training.png").stat().st_size > 0


def test_a_stage_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"measured\.jsonl is missing"):
        autogaze_training.main([f"folder={tmp_path}", "stages=ntp", f"results={tmp_path}"])
