"""Which file a checkpoint means, and what lies in a model folder. Loads no torch; the tensors are `weight_files.py`'s.

A checkpoint is a path, or `asset:NAME` for what ships with the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from framework.core.errors import UsageError
from framework.core.home import at_home

ASSETS = Path(__file__).resolve().parents[1] / "assets"
POINTER = b"version https://git-lfs"  # how a Git-LFS pointer begins
SHIPPED = "asset:"


def locate(checkpoint: str | Path) -> Path:
    """Returns the path that a checkpoint means. `asset:NAME` ships with the package; `~` is the home folder.

    Raises UsageError where nothing of the name NAME is shipped.
    """
    name = str(checkpoint)
    if not name.startswith(SHIPPED):
        return at_home(name, "checkpoint")
    if name not in (known := shipped()):
        raise UsageError(f"there are no shipped weights {name!r}; there are {', '.join(known)}")
    return ASSETS / name.removeprefix(SHIPPED)


def shipped() -> list[str]:
    """Names all shipped weights: `asset:NAME`."""
    return [f"{SHIPPED}{place.name}" for place in sorted(ASSETS.iterdir()) if place.is_dir()]


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
