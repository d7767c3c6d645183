"""Weights in files: which file a checkpoint means, what its header says, its tensors one by one when asked for.

A checkpoint is a path, `asset:NAME` for what ships with the package, or `random:SEED` for weights that are made up.
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

ASSETS = Path(__file__).resolve().parents[1] / "assets"
POINTER = b"version https://git-lfs"  # how a Git-LFS pointer begins
_RANDOM = re.compile(r"random:(\d+)(?::(\w+))?")


def locate(checkpoint: str | Path) -> Path:
    """Returns the path that a checkpoint means. `asset:NAME` ships with the package; `~` is the home folder."""
    name = str(checkpoint).removeprefix("asset:")
    return ASSETS / name if name != str(checkpoint) else Path(name).expanduser()


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


def model_files(folder: Path) -> list[Path]:
    """Lists the weight files of a model folder as transformers lays it out; none where it holds no model.

    Raises ValueError where the index of the shards cannot be read.
    """
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{stem}.index.json"
        if (folder / stem).is_file():
            return [folder / stem]
        if index.is_file():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise ValueError(f"{index} names no files of weights: it needs a `weight_map`")
            return [folder / name for name in sorted(set(map(str, shards.values())))]
    return []


def read_json(file: Path) -> dict[str, Any]:
    """Reads a JSON object. Raises ValueError that names the file where it holds none."""
    refuse_stand_in(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON file, or is cut off: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} must hold a JSON object, got {type(found).__name__}")
    return found


def refuse_stand_in(file: Path) -> None:
    """Checks that a file exists and is not a Git-LFS pointer in its place. Raises ValueError otherwise."""
    if not file.is_file():
        raise ValueError(f"{file} does not exist")
    with open(file, "rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise ValueError(f"{file} is a Git-LFS pointer and not the file itself: fetch it with `git lfs pull`")


def refuse_non_finite(tensors: Iterable[tuple[str, Tensor]], source: object) -> None:
    """Checks that all numbers are finite. Raises ValueError that names `source` and the first tensor otherwise.

    Tensors on the meta device hold no numbers. Least and largest number are read in one pass; NaN is both.
    """
    for name, value in tensors:
        if value.numel() and not value.is_meta and not bool(torch.stack(value.aminmax()).isfinite().all()):
            raise ValueError(f"{source}: {name} holds numbers that are not finite")
