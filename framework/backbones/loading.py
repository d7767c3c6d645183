"""From the adapter's settings to a loaded model and tokenizer; everything is checked before any weight is read.

Knows checkpoints, devices and number formats, no model family.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedConfig
from transformers.utils import cached_file, is_flash_attn_2_available, logging

from framework.core.weight_files import ASSETS, locate

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ATTENTION = ("sdpa", "eager", "flash_attention_2")
KEY = "backbone.adapter"


def one_of(key: str, value: Any, known: Any) -> None:
    """Checks that `value` is among `known`. Raises ValueError that names the key where it is not."""
    if value not in known:
        raise ValueError(f"{KEY}.{key} must be one of {', '.join(known)}; got {value!r}")


def at_least(key: str, value: Any, least: int) -> None:
    """Checks that `value` is a whole number >= `least`. Raises ValueError that names the key where it is not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{KEY}.{key} must be a whole number >= {least}; got {value!r}")


def locate_checkpoint(checkpoint: str, model_type: str) -> tuple[str, bool]:
    """Returns where the checkpoint is (folder or Hub id), and whether it is local.

    Raises ValueError where there is no such checkpoint, or where its model type is not `model_type`.
    """
    name = str(checkpoint)
    folder = locate(name)
    if name.startswith("asset:") and not (folder / "config.json").is_file():
        known = ", ".join(sorted(path.parent.name for path in ASSETS.glob("*/config.json"))) or "none"
        raise ValueError(f"{KEY}.checkpoint: no shipped weights {name!r}; there are: {known}")
    local = folder.exists()
    if local and not (folder / "config.json").is_file():
        raise ValueError(f"{KEY}.checkpoint: the folder {folder} has no config.json, so it is no checkpoint")
    if not local and (name.count("/") != 1 or name.startswith((".", "/", "~"))):
        raise ValueError(f"{KEY}.checkpoint: no folder {name!r}, and no Hub id either (owner/name)")
    place = str(folder) if local else name
    try:
        found = PreTrainedConfig.get_config_dict(place, local_files_only=local)[0].get("model_type")
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{KEY}.checkpoint: {place!r} is no readable folder and could not be had from the Hub: {reason}"
        ) from error
    if found != model_type:
        raise ValueError(f"{KEY}.checkpoint: {place} holds a model of type {found!r}, expected {model_type!r}")
    return place, local


def resolve_device(device: str, device_map: Any) -> torch.device:
    """Returns the device of a model on one device; `auto` is CUDA where there is one.

    Raises ValueError for an unknown device, and for a CUDA device that is not there. With a
    `device_map`, `device` must be `auto`.
    """
    if device_map is not None and device != "auto":
        raise ValueError(f"{KEY}.device must be auto when {KEY}.device_map is given; got {device!r} and {device_map!r}")
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{KEY}.device must be auto, cpu, cuda, cuda:1, ...; got {device!r}") from error
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"{KEY}.device is {device!r}, but there are {torch.cuda.device_count()} CUDA devices here: take auto or cpu"
        )
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps progress bars and warnings of transformers away, for as long as the block lasts.

    What is hidden is stale (sliding windows do work with SDPA) or checked by us (missing weights).
    """
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load(
    model_class: Any, place: str, local: bool, dtype: str, device: torch.device, device_map: Any, attention: str
) -> tuple[Any, Any]:
    """Loads (model, tokenizer), in evaluation mode.

    Raises ValueError where weights are missing or have another shape. Raises it also where flash_attention_2 is not
    installed, or is asked for with float32.
    """
    if attention == "flash_attention_2":
        if not is_flash_attn_2_available():
            raise ValueError(
                f"{KEY}.attention is flash_attention_2, which is not installed: take sdpa, or pip install flash-attn"
            )
        if dtype == "float32":
            raise ValueError(f"{KEY}.attention=flash_attention_2 needs {KEY}.dtype=bfloat16 or float16; got float32")
    with quiet():
        model, info = model_class.from_pretrained(
            place,
            dtype=DTYPES[dtype],
            attn_implementation=attention,
            device_map=device_map,
            local_files_only=local,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=local)
    wrong = sorted(map(str, [*info["missing_keys"], *info.get("mismatched_keys", ())]))
    if wrong:
        raise ValueError(
            f"{KEY}.checkpoint: {place} lacks {len(wrong)} weights or holds them in another shape, e.g. {wrong[0]}"
        )
    if device_map is None:
        model = model.to(device)
    return model.eval(), tokenizer


def preprocessor(place: str) -> dict[str, Any]:
    """Returns the contents of the checkpoint's preprocessor_config.json; empty where it has none."""
    try:
        path = cached_file(place, "preprocessor_config.json")
    except OSError:
        return {}
    return json.loads(Path(path).read_text()) if path else {}
