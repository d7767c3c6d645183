"""Weights in files: what torch wrote is read, anything else is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from framework.core.weight_files import Stored, of_torch


def test_what_torch_wrote(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    torch.save({"a": torch.arange(3)}, file)
    assert Stored([file])["a"].tolist() == [0, 1, 2]
    torch.save([1, 2], file)
    with pytest.raises(ValueError, match=r"weights\.bin holds no weights by name, but list"):
        of_torch(file)


def test_no_weights(tmp_path: Path) -> None:
    for name in ("README.md", "weights.pt"):
        file = tmp_path / name
        file.write_text("words")
        with pytest.raises(ValueError, match=rf"{name} is neither a safetensors file nor one of torch\.save's"):
            Stored([file])
    with pytest.raises(ValueError, match=r"none\.bin does not exist"):
        Stored([tmp_path / "none.bin"])
