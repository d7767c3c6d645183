"""Weights in files, each read from disk only when it is asked for. Knows file formats, no model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


class Stored(Mapping[str, Tensor]):
    """Tensors by name, out of .safetensors files and of files that torch wrote."""

    def __init__(self, files: list[Path]) -> None:
        self._at: dict[str, Any] = {}  # name -> something to take the tensor out of
        self.header: dict[str, str] = {}  # of the safetensors files
        for file in files:
            if not file.is_file():
                raise ValueError(f"{file} does not exist")
            if file.suffix == ".safetensors":
                try:
                    opened = safe_open(file, "pt")
                except SafetensorError as error:
                    raise ValueError(f"{file} is no safetensors file: {error}") from error
                self.header |= opened.metadata() or {}
                self._at |= dict.fromkeys(opened.keys(), opened)
            else:
                found = of_torch(file)
                self._at |= dict.fromkeys(found, found)

    def __getitem__(self, name: str) -> Tensor:
        source = self._at[name]
        return source[name] if isinstance(source, dict) else source.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


def of_torch(file: Path) -> dict[str, Tensor]:
    """Tensors by name, of a file that torch wrote in its format of today. ValueError for any other."""
    try:
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, UnpicklingError) as error:
        raise ValueError(f"{file} is neither a safetensors file nor one of torch.save's (zip format)") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds no weights by name, but {type(found).__name__}")
    return found


def model_files(folder: Path) -> list[Path]:
    """The weight files of a model folder as transformers lays it out; none where it holds no model."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{stem}.index.json"
        if index.is_file():
            return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
        if (folder / stem).is_file():
            return [folder / stem]
    return []
