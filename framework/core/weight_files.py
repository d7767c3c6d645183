"""Weights in files: what a header says, the tensors one by one when asked for; `random:SEED` is made up.

Where they lie is `model_files.py`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from framework.core.model_files import refuse_stand_in

_RANDOM = re.compile(r"random:(\d+)(?::(\w+))?")


def random_weights(checkpoint: str | Path, kinds: Collection[str] = ("",)) -> tuple[int, str] | None:
    """Returns (seed, kind) of `random:SEED` or `random:SEED:KIND`, one of `kinds`.

    Returns None for any other checkpoint.
    """
    made_up = _RANDOM.fullmatch(str(checkpoint))
    return (int(made_up[1]), made_up[2] or "") if made_up and (made_up[2] or "") in kinds else None


def save_weights(tensors: Mapping[str, Tensor], file: Path, key: str, about: Mapping[str, Any]) -> Path:
    """Writes tensors, and under `key` of the header what they do not say. Returns the file.

    The file appears under its name when it is complete.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    on_cpu = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(on_cpu, part, metadata={key: json.dumps(about)})
    part.replace(file)
    return file


def header(file: Path, key: str, writer: str) -> dict[str, Any]:
    """Returns what `writer` kept under `key` in the header of a safetensors file. It reads no tensor.

    Raises ValueError where the file does not exist, is no safetensors file or has no such header.
    """
    found = Stored([file]).header.get(key)
    if found is None:
        raise ValueError(f"{file} was not written by `{writer}`: its header holds no {key!r}")
    return dict(json.loads(found))


class Stored(Mapping[str, Tensor]):
    """Maps names to tensors, out of .safetensors files and of files that torch wrote.

    Raises ValueError for a file that does not exist, is cut off or is of neither kind.
    """

    def __init__(self, files: list[Path]) -> None:
        self._at: dict[str, Any] = {}  # name -> something to take the tensor out of
        self.header: dict[str, str] = {}  # of the safetensors files
        for file in files:
            refuse_stand_in(file)
            if file.suffix == ".safetensors":
                try:
                    opened = safe_open(file, "pt")
                except SafetensorError as error:
                    raise ValueError(f"{file} is no safetensors file, or is cut off: {error}") from error
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
    """Reads tensors by name out of a file that torch wrote. Those of its present format (zip) are read when needed.

    Raises ValueError for any other file.
    """
    refuse_stand_in(file)
    try:
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zipfile(file))
    except (RuntimeError, UnpicklingError, EOFError, ValueError) as error:
        raise ValueError(f"{file} is neither a safetensors file nor one of torch.save's, or it is cut off") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds no weights by name, but {type(found).__name__}")
    return found


def refuse_non_finite(tensors: Iterable[tuple[str, Tensor]], source: object) -> None:
    """Checks that all numbers are finite. Raises ValueError that names `source` and the first tensor otherwise.

    Tensors on the meta device hold no numbers. Least and largest number are read in one pass; NaN is both.
    """
    for name, value in tensors:
        if value.numel() and not value.is_meta and not bool(torch.stack(value.aminmax()).isfinite().all()):
            raise ValueError(f"{source}: {name} holds numbers that are not finite")
