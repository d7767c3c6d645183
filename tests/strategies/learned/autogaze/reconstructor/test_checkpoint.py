"""Saved and loaded, a reconstructor is the same; anything else is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from strategies.learned.autogaze.reconstructor import checkpoint
from strategies.learned.autogaze.reconstructor.model import Reconstructor


def test_round_trip(network: Reconstructor, pixels: Tensor, picked: Tensor, tmp_path: Path) -> None:
    file = checkpoint.save(network, tmp_path / "run", {"seed": 3})
    assert file == tmp_path / "run" / "reconstructor.safetensors"
    for place in (file, file.parent):
        loaded, header = checkpoint.load(place)
        assert not loaded.training and loaded.config == network.config and header["notes"] == {"seed": 3}
        assert torch.equal(loaded(pixels, picked), network(pixels, picked))


def test_what_does_not_fit_is_refused(lab: Reconstructor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"reconstructor.safetensors does not exist.*recipe=autogaze_reconstructor"):
        checkpoint.load(tmp_path)
    file = checkpoint.save(lab, tmp_path, {})
    header = {"reconstructor": '{"config": {}, "notes": {}}'}
    tensors = load_file(file)
    save_file(tensors, tmp_path / "no.safetensors", metadata=header)
    with pytest.raises(ValueError, match="must hold"):
        checkpoint.load(tmp_path / "no.safetensors")
    save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="its header holds no 'reconstructor'"):
        checkpoint.load(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(ValueError, match="is no safetensors file"):
        checkpoint.load(tmp_path / "text.safetensors")
    with safe_open(file, "pt") as opened:
        told = opened.metadata()
    tensors.pop("mask_token")
    save_file(tensors, tmp_path / "less.safetensors", metadata=told)
    with pytest.raises(ValueError, match=r"does not fit[\s\S]*mask_token"):
        checkpoint.load(tmp_path / "less.safetensors")
