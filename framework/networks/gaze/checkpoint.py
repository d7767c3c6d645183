"""A gaze model on disk: one safetensors file with the weights and, in its header, all that they do not say.

`save(gaze, "runs/x", notes)` writes `runs/x/gaze.safetensors`. `load` reads that, a shipped one (`asset:NAME`), the
published layout, or makes up random weights (`random:SEED` of the lab's size, `random:SEED:official` of the published
one). It knows no training; what a calibration table holds is for those who made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from framework.networks.gaze import official
from framework.networks.gaze.model import Gaze, GazeConfig
from framework.networks.qtsplus.stored import Stored

FILE = "gaze.safetensors"
HEADER = "gaze"  # key of the header
ASSETS = Path(__file__).resolve().parents[2] / "assets"
RANDOM = re.compile(r"random:(\d+)(:official)?")


@dataclass(frozen=True)
class About:
    """What a gaze model's weights do not say."""

    config: GazeConfig
    rope_mode: Literal["official", "contiguous"]  # that its picks were measured with
    calibration: Mapping[str, Any] | None  # epsilon -> loss_threshold, made on validation clips
    notes: Mapping[str, Any]  # for people: recipe, seed, steps


def save(gaze: Gaze, path: str | Path, notes: Mapping[str, Any], calibration: Mapping[str, Any] | None = None) -> Path:
    """Write to the folder, or the .safetensors file, at `path`; the file. Picks of it are meant to be contiguous."""
    file = file_at(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    about = asdict(About(gaze.config, "contiguous", calibration, notes))
    tensors = {name: value.detach().cpu().contiguous() for name, value in gaze.state_dict().items()}
    save_file(tensors, file, metadata={HEADER: json.dumps(about)})
    return file


def load(checkpoint: str | Path) -> tuple[Gaze, About]:
    """The model, in evaluation mode on the CPU, and what is known of it. ValueError where there is none."""
    about = read(checkpoint)
    made_up = RANDOM.fullmatch(str(checkpoint))
    if made_up:
        return Gaze.random(about.config, int(made_up[1])), about
    place = place_of(checkpoint)
    if not file_at(place).is_file() or official.is_official(place):
        return official.load(place), about
    gaze = Gaze.random(about.config, 0)
    official.fill(gaze, Stored([file_at(place)]), str(checkpoint))
    return gaze, about


def read(checkpoint: str | Path) -> About:
    """What is known of a gaze model, without reading its weights. ValueError where there is none."""
    made_up = RANDOM.fullmatch(str(checkpoint))
    if made_up:
        config = GazeConfig.official() if made_up[2] else GazeConfig.lab()
        return About(config, "contiguous", None, {"from": str(checkpoint)})
    place = place_of(checkpoint)
    if not place.exists():
        raise ValueError(
            f"there is no {place}: a gaze model is a file or folder of `sieve train gaze=ntp` or `gaze=grpo`, a "
            "published folder, asset:NAME, or random:SEED"
        )
    if not file_at(place).is_file() or official.is_official(place):
        if not official.is_official(place):
            raise ValueError(f"{place} holds no gaze model: neither {FILE} nor weights in the published layout")
        return About(GazeConfig.official(), "official", None, {"from": str(checkpoint)})
    header = Stored([file_at(place)]).header.get(HEADER)
    if header is None:
        raise ValueError(f"{file_at(place)} was not written by `sieve train`: its header holds no {HEADER!r}")
    found = json.loads(header)
    if set(found) != set(About.__dataclass_fields__):
        raise ValueError(
            f"the header of {file_at(place)} must hold {sorted(About.__dataclass_fields__)}, got {sorted(found)}"
        )
    return About(**{**found, "config": GazeConfig(**found["config"])})


def place_of(checkpoint: str | Path) -> Path:
    """The path that is meant; `asset:NAME` is what ships with the framework."""
    name = str(checkpoint).removeprefix("asset:")
    return ASSETS / name if name != str(checkpoint) else Path(name).expanduser()


def file_at(path: str | Path) -> Path:
    """The file meant by a folder or a file."""
    place = Path(path).expanduser()
    return place if place.suffix == ".safetensors" else place / FILE
