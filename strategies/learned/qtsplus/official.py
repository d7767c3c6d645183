"""The published checkpoints: their selector, out of a folder that holds a language model and a vision tower as well.

Names, shapes and configuration keys are those of the published code; there positions are sequential and no time enters.
Source: QTSplus (arXiv 2511.11910) and its published code.
"""

from __future__ import annotations

import re
from pathlib import Path

from framework.core.home import at_home
from framework.core.model_files import model_files, read_json
from framework.core.weight_files import Stored
from strategies.learned.qtsplus.checkpoint import About, file_at
from strategies.learned.qtsplus.selector import Shape

PREFIX = "model.qts_plus.selector."
NOT_OURS = ("model.qts_plus.text_proj.weight", "model.mm_projector.weight")  # of other families of models


def is_official(path: str | Path) -> bool:
    """Says whether a model folder without a selector file of ours is meant."""
    place = at_home(path, "checkpoint")
    return place.is_dir() and not file_at(place).is_file() and (place / "config.json").is_file()


def open_weights(folder: str | Path) -> Stored:
    """Opens all tensors of a published folder by their official names.

    Raises ValueError where it holds no weights, no selector, or parts of another family of models.
    """
    place = at_home(folder, "checkpoint")
    files = model_files(place)
    if not files:
        raise ValueError(
            f"{folder} holds no weights: neither model.safetensors nor pytorch_model.bin, nor shards of them"
        )
    stored = Stored(files)
    if not any(name.startswith(PREFIX) for name in stored):
        raise ValueError(f"{folder} holds no QTSplus selector: no tensor's name begins with {PREFIX}")
    if other := sorted(set(NOT_OURS) & set(stored)):
        raise ValueError(f"{folder} belongs to another family of models than Qwen2.5-VL: it holds {', '.join(other)}")
    return stored


def read(folder: str | Path) -> About:
    """Reads what config.json says of the selector; layers that it does not count are counted in the weights.

    Raises ValueError where config.json lacks the width or a number of heads.
    """
    config = read_json(at_home(folder, "checkpoint") / "config.json")
    if missing := [key for key in ("hidden_size", "num_attention_heads", "num_key_value_heads") if key not in config]:
        raise ValueError(f"{folder}/config.json is no QTSplus configuration: it lacks {', '.join(missing)}")
    names = list(open_weights(folder))
    shape = Shape(
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        scoring_layers=config.get("qts_plus_scoring_layers", _layers(names, "scoring_layers")),
        reencode_layers=config.get("qts_plus_reencode_layers", _layers(names, "reencode_layers"))
        if config.get("qts_plus_reencode", True)
        else 0,
        time=False,
        official=True,
    )
    return About(
        shape=shape,
        rho_min=config.get("qts_plus_rho_min", 0.05),
        rho_max=config.get("qts_plus_rho_max", 0.5),
        scaled=False,
        rho="learned",
        n_max=config.get("qts_plus_nmax", 2560),  # as the published code where the file says nothing
        positions="sequential",
        notes={"from": str(folder)},
    )


def selector_names(stored: Stored) -> dict[str, str]:
    """Maps our name of each parameter to its official one; the re-encoder's blocks are wrapped once more there."""
    found = (name for name in stored if name.startswith(PREFIX))
    return {re.sub(r"^(reencode_layers\.\d+)\.core\.", r"\1.", name.removeprefix(PREFIX)): name for name in found}


def _layers(names: list[str], kind: str) -> int:
    found = [re.match(rf"{re.escape(PREFIX + kind)}\.(\d+)\.", name) for name in names]
    return 1 + max((int(match[1]) for match in found if match), default=-1)
