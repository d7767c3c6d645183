"""Our file of a gaze model: written, read, described, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from framework.core import model_files
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig


def test_there_and_back(small: Callable[..., Gaze], tmp_path: Path) -> None:
    gaze = small(1)
    file = checkpoint.save(gaze, tmp_path / "run", {"steps": 3}, {"epsilon": [0.5], "loss_threshold": [0.1]})
    assert file == tmp_path / "run" / "gaze.safetensors"
    for path in (file, file.parent):
        read, about = checkpoint.load(path)
        assert about == checkpoint.read(path)
        assert about.config == gaze.config and about.rope_mode == "contiguous" and about.notes == {"steps": 3}
        assert about.calibration == {"epsilon": [0.5], "loss_threshold": [0.1]}
        assert not read.training
        assert all(torch.equal(value, gaze.state_dict()[name]) for name, value in read.state_dict().items())


def test_the_rope_scaling_is_kept(tmp_path: Path) -> None:
    checkpoint.save(Gaze.random(GazeConfig.official(), 0), tmp_path, {})
    assert checkpoint.read(tmp_path).config == GazeConfig.official()


def test_random_weights() -> None:
    one, about = checkpoint.load("random:5")
    assert about.config == GazeConfig.lab()
    assert torch.equal(one.token_head.weight, checkpoint.load("random:5")[0].token_head.weight)
    assert not torch.equal(one.token_head.weight, checkpoint.load("random:6")[0].token_head.weight)
    assert checkpoint.read("random:5:official").config == GazeConfig.official()


def test_shipped_ones_have_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Callable[..., Gaze]) -> None:
    monkeypatch.setattr(model_files, "ASSETS", tmp_path)
    checkpoint.save(small(), tmp_path / "mine", {})
    assert checkpoint.load("asset:mine")[1].config == small().config


def test_what_is_no_gaze_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*missing: a gaze model is"):
        checkpoint.load(tmp_path / "missing")
    with pytest.raises(ValueError, match="holds no gaze model"):
        checkpoint.load(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "gaze.safetensors")
    with pytest.raises(ValueError, match="not written by `sieve train`"):
        checkpoint.load(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "gaze.safetensors", metadata={"gaze": "{}"})
    with pytest.raises(ValueError, match="must hold"):
        checkpoint.load(tmp_path)
