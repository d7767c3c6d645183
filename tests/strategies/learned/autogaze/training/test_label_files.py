"""The published layout read by hand, several files and patterns at once, and mistakes that name their place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from framework.core.errors import UsageError
from strategies.learned.autogaze.training.label_files import Label, key_of, read_labels, targets

V = 69
ONE = {"gazing_pos": [[3, 68], [V + 1], []], "task_losses": [[0.9, 0.5], [0.25], []]}
TWO = {"gazing_pos": [[0], [], [2 * V]], "task_losses": [[0.5], [], [0.75]], "losses_before": [1.0, 0.5, 2.0]}


def write(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def test_by_hand(tmp_path: Path) -> None:
    write(tmp_path / "a" / "labels.json", {"/data/videos/procedural/7/12.mp4": ONE})
    write(tmp_path / "b" / "labels.json", {"procedural/7/13.mp4": TWO, "elsewhere/procedural/7/12.mp4": ONE})
    found = read_labels([str(tmp_path / "*" / "labels.json")], V, 3)
    assert found == {
        "procedural/7/12.mp4": Label(((3, 68), (1,), ()), ((0.9, 0.5), (0.25,), ()), None),
        "procedural/7/13.mp4": Label(((0,), (), (0,)), ((0.5,), (), (0.75,)), (1.0, 0.5, 2.0)),
    }
    shorter = read_labels([str(tmp_path / "b" / "*.json")], V, 2)["procedural/7/13.mp4"]
    assert shorter == Label(((0,), ()), ((0.5,), ()), (1.0, 0.5))


def test_side_by_side(tmp_path: Path) -> None:
    file = write(tmp_path / "labels.json", {"x/y/1.mp4": ONE, "x/y/2.mp4": TWO})
    made = targets(list(read_labels([str(file)], V, 3).values()), V)
    assert made.ids.tolist() == [[[3, 68], [1, V], [V, V]], [[0, V], [V, V], [0, V]]]
    assert torch.equal(made.valid, made.ids != V) and torch.equal(made.losses.isfinite(), made.valid)
    assert made.losses[0, 0].tolist() == pytest.approx([0.9, 0.5])
    assert made.before[0].isnan().all() and made.before[1].tolist() == [1.0, 0.5, 2.0]


def test_a_key_is_the_end_of_a_path() -> None:
    assert key_of("/root/of/all/cats/1/2.mp4") == key_of("cats/1/2.mp4") == "cats/1/2.mp4"
    assert key_of("2.mp4") == "2.mp4"


def test_mistakes(tmp_path: Path) -> None:
    def said(content: Any, pattern: str | None = None) -> str:
        file = write(tmp_path / "labels.json", content)
        with pytest.raises(UsageError) as error:
            read_labels([pattern or str(file)], V, 3)
        return str(error.value)

    assert "no file matches nowhere/*.json" in said({}, "nowhere/*.json")
    assert "`sieve train recipe=autogaze_labels`" in said({}, "nowhere/*.json")
    assert "no labelled video" in said({})
    assert "expected an object" in said([ONE])
    assert "a/b/1.mp4: no 'task_losses'" in said({"a/b/1.mp4": {"gazing_pos": []}})
    assert "2 frames of picks" in said({"1.mp4": {"gazing_pos": [[], []], "task_losses": [[], []]}})
    assert "frame 0: 1 picks and 2 losses" in said({"1.mp4": {**ONE, "gazing_pos": [[3], [V], []]}})
    assert f"within {V}..{2 * V - 1}" in said({"1.mp4": {**ONE, "gazing_pos": [[3, 4], [1], []]}})
    assert "must differ" in said({"1.mp4": {**ONE, "gazing_pos": [[3, 3], [V], []]}})
    assert "not finite" in said({"1.mp4": {**ONE, "task_losses": [[math.nan, 0.1], [0.2], []]}})
    assert "labelled otherwise before" in said({"r/a/b/1.mp4": ONE, "s/a/b/1.mp4": TWO})
    (tmp_path / "broken.json").write_text("{")
    assert "no JSON that can be read" in said({}, str(tmp_path / "broken.json"))
