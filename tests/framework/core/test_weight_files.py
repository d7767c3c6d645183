"""Weights in files: what torch wrote is read, anything else is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from framework.core.model_files import model_files, read_json
from framework.core.weight_files import Stored, of_torch, refuse_non_finite


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


@pytest.mark.parametrize("name", ["weights.bin", "weights.safetensors"])
def test_a_pointer_or_half_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    tensors = {"a": torch.arange(999)}
    torch.save(tensors, file) if name.endswith("bin") else save_file(tensors, file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match=rf"{name} is n.*, or (it )?is cut off"):
        Stored([file])
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 9\n")
    with pytest.raises(ValueError, match=rf"{name} is a Git-LFS pointer"):
        Stored([file])


def test_one_file_goes_before_shards(tmp_path: Path) -> None:
    """As transformers chooses."""
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "2", "b": "1", "c": "2"}}')
    assert model_files(tmp_path) == [tmp_path / "1", tmp_path / "2"]
    (tmp_path / "model.safetensors").touch()
    assert model_files(tmp_path) == [tmp_path / "model.safetensors"]


@pytest.mark.parametrize("text", ["[1]", "{", ""])
def test_no_json_object(tmp_path: Path, text: str) -> None:
    file = tmp_path / "about.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"about\.json (must hold a JSON object|is no JSON file, or is cut off)"):
        read_json(file)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite(dtype: torch.dtype) -> None:
    good = {
        "a": torch.tensor([torch.finfo(dtype).min, 0, torch.finfo(dtype).max], dtype=dtype),
        "empty": torch.zeros(0, dtype=dtype),
        "count": torch.tensor(3),
        "elsewhere": torch.zeros(2, dtype=dtype, device="meta"),
    }
    refuse_non_finite(good.items(), "here")
    for value in (float("nan"), float("inf"), float("-inf")):
        bad = torch.zeros(2, 3, dtype=dtype)
        bad[1, 1] = value
        with pytest.raises(ValueError, match=r"^here: b holds numbers that are not finite$"):
            refuse_non_finite({**good, "b": bad}.items(), "here")
