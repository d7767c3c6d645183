"""The published checkpoint of the gaze model: its names, and a strict reading of them.

`nvidia/AutoGaze` is a folder with `model.safetensors`: 49 tensors, each name beginning with `gazing_model.`. Names,
shapes and numbers must all fit; nothing is filled in. Source: AutoGaze (arXiv 2603.12254) and its published code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from framework.core.home import at_home
from framework.core.model_files import model_files
from framework.core.weight_files import Stored, refuse_non_finite
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig

PREFIX = "gazing_model."
NAMES = {  # beginning of a published name -> beginning of ours
    "vision_model.": "stem.",
    "connector.pos_embed": "positions",
    "gaze_decoder.model.": "decoder.",
    "gaze_decoder.lm_head.": "token_head.",
    "gaze_decoder.task_loss_prediction_head.": "loss_head.",
}


def is_official(path: str | Path) -> bool:
    """Says whether a path is a file or model folder in the published layout."""
    files = _files(at_home(path, "checkpoint"))
    return bool(files) and any(name.startswith(PREFIX) for name in Stored(files))


def load(path: str | Path, config: GazeConfig | None = None) -> Gaze:
    """Loads the model of a published folder or file, in evaluation mode. Raises ValueError naming what does not fit."""
    place = at_home(path, "checkpoint")
    files = _files(place)
    if not files:
        raise ValueError(f"{path} holds no weights: neither model.safetensors nor pytorch_model.bin")
    return from_tensors(Stored(files), str(path), config)


def from_tensors(tensors: Mapping[str, Tensor], source: str, config: GazeConfig | None = None) -> Gaze:
    """Builds the model out of tensors by their published names; `config` is the published one unless given.

    Raises ValueError as `fill` does.
    """
    gaze = Gaze.random(config or GazeConfig.official(), 0)
    fill(gaze, {_ours(name): tensors[name] for name in tensors}, source)
    return gaze


def fill(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fills a module with these tensors. Raises ValueError unless all are there, fit and are finite."""
    own = {name: value.shape for name, value in module.state_dict().items()}
    missing, unexpected = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unexpected:
        raise ValueError(
            f"{source} does not fit: missing {', '.join(missing) or 'nothing'}; unexpected "
            f"{', '.join(unexpected) or 'nothing'}"
        )
    for name, shape in own.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{source}: {name} is {list(tensors[name].shape)}, {list(shape)} is needed")
    refuse_non_finite(((name, tensors[name]) for name in own), source)
    module.load_state_dict(dict(tensors))


def _ours(name: str) -> str:
    short = name.removeprefix(PREFIX)
    begin = next((theirs for theirs in NAMES if short.startswith(theirs)), None)
    if short == name or begin is None:
        return name  # of no model of ours: reported as unexpected
    return NAMES[begin] + short.removeprefix(begin)


def _files(place: Path) -> list[Path]:
    return model_files(place) if place.is_dir() else [place] if place.is_file() else []
