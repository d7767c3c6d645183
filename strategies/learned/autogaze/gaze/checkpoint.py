"""A gaze model on disk: one safetensors file with the weights and, in its header, all that they do not say.

`save(gaze, "runs/x", notes)` writes `runs/x/gaze.safetensors`. `load` reads such a file, a shipped one (`asset:NAME`)
or the published layout. It also makes up random weights: `random:SEED` has the lab's size, `random:SEED:official` the
published one. A calibration table is stored as it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from framework.core.home import at_home
from framework.core.model_files import locate
from framework.core.weight_files import Stored, header, random_weights, save_weights
from strategies.learned.autogaze.gaze import official
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig

FILE = "gaze.safetensors"
HEADER = "gaze"  # key of the header
KINDS = ("", "official")  # of random weights: of the lab's size, of the published one


@dataclass(frozen=True)
class About:
    """Holds what the weights of a gaze model do not say."""

    config: GazeConfig
    rope_mode: Literal["official", "contiguous"]  # that its picks were measured with
    calibration: Mapping[str, Any] | None  # epsilon -> loss_threshold, made on validation clips
    notes: Mapping[str, Any]  # for people: recipe, seed, steps


def save(gaze: Gaze, path: str | Path, notes: Mapping[str, Any], calibration: Mapping[str, Any] | None = None) -> Path:
    """Writes the model to the folder, or the .safetensors file, at `path`, and returns the file.

    The header says that its picks are meant to be contiguous.
    """
    about = asdict(About(gaze.config, "contiguous", calibration, notes))
    return save_weights(gaze.state_dict(), file_at(path), HEADER, about)


def load(checkpoint: str | Path) -> tuple[Gaze, About]:
    """Loads the gaze model, in evaluation mode on the CPU, and what is known of it.

    Raises ValueError where there is none, or its weights do not fit.
    """
    about = read(checkpoint)
    if made_up := random_weights(checkpoint, KINDS):
        return Gaze.random(about.config, made_up[0]), about
    place = locate(checkpoint)
    if not file_at(place).is_file() or official.is_official(place):
        return official.load(place), about
    gaze = Gaze.random(about.config, 0)
    official.fill(gaze, Stored([file_at(place)]), str(checkpoint))
    return gaze, about


def read(checkpoint: str | Path) -> About:
    """Reads what is known of a gaze model, without its weights.

    Raises ValueError where there is none, or its header does not hold exactly the fields of `About`.
    """
    if made_up := random_weights(checkpoint, KINDS):
        config = GazeConfig.official() if made_up[1] else GazeConfig.lab()
        return About(config, "contiguous", None, {"from": str(checkpoint)})
    place = locate(checkpoint)
    if not place.exists():
        raise ValueError(
            f"there is no {place}: a gaze model is a file or folder of `sieve train recipe=autogaze_ntp` or "
            "`recipe=autogaze_grpo`, a published folder, asset:NAME, or random:SEED"
        )
    if not file_at(place).is_file() or official.is_official(place):
        if not official.is_official(place):
            raise ValueError(f"{place} holds no gaze model: neither {FILE} nor weights in the published layout")
        return About(GazeConfig.official(), "official", None, {"from": str(checkpoint)})
    found = header(file_at(place), HEADER, "sieve train")
    if set(found) != set(About.__dataclass_fields__):
        raise ValueError(
            f"the header of {file_at(place)} must hold {sorted(About.__dataclass_fields__)}, got {sorted(found)}"
        )
    return About(**{**found, "config": GazeConfig(**found["config"])})


def file_at(path: str | Path) -> Path:
    """Returns the file that a path means: the path itself if it ends in .safetensors, else gaze.safetensors in it."""
    place = at_home(path, "checkpoint")
    return place if place.suffix == ".safetensors" else place / FILE
