"""From the adapter's settings to a loaded model and tokenizer; everything is checked before any weight is read.

Knows checkpoints, devices and number formats, no model family.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, PreTrainedConfig
from transformers.utils import is_flash_attn_2_available

from framework.backbones import device_map as maps
from framework.backbones import tensor_parallel as parts
from framework.backbones.beside import load_tokenizer, quiet
from framework.backbones.checkpoint import VOCABULARIES, find, model_type
from framework.backbones.families import advice
from framework.backbones.overlay import WeightOverlay
from framework.core.model_files import model_files, read_json
from framework.core.weight_files import Stored, refuse_non_finite

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ATTENTION = ("sdpa", "eager", "flash_attention_2")
KEY = "backbone.adapter"
TOLD = (  # the .json files that are read where a folder has them
    *("config", "generation_config", "preprocessor_config", "tokenizer", "tokenizer_config"),
    *("special_tokens_map", "added_tokens", "vocab", "chat_template"),
    *("processor_config", "video_preprocessor_config"),
)


@dataclass(frozen=True)
class Opened:
    """Holds what is known of a checkpoint before any weight is read."""

    place: str  # a folder, or a Hub id
    local: bool
    config: Any
    tokenizer: Any

    def token(self, name: str) -> str:
        """Returns the special token whose id config.json has under `name`.

        Raises ValueError where the tokenizer has no such token, or reads it as several.
        """
        number = getattr(self.config, name)
        token = self.tokenizer.convert_ids_to_tokens(number)
        if token is None or self.tokenizer(token, add_special_tokens=False)["input_ids"] != [number]:
            raise ValueError(
                f"{KEY}.checkpoint: the tokenizer of {self.place} does not read {name} {number} as one special token: "
                f"got {token!r}"
            )
        return token


def one_of(key: str, value: Any, known: Any) -> None:
    """Checks that `value` is among `known`. Raises ValueError that names the key where it is not."""
    if value not in known:
        raise ValueError(f"{KEY}.{key} must be one of {', '.join(known)}; got {value!r}")


def at_least(key: str, value: Any, least: int) -> None:
    """Checks that `value` is a whole number >= `least`. Raises ValueError that names the key where it is not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{KEY}.{key} must be a whole number >= {least}; got {value!r}")


def check_common(dtype: str, attention: str, **counts: Any) -> None:
    """Checks what every adapter takes: number format, attention implementation, and whole numbers above 0.

    Raises ValueError that names the key.
    """
    one_of("dtype", dtype, DTYPES)
    one_of("attention", attention, ATTENTION)
    for key, value in counts.items():
        at_least(key, value, 1)


def check_clock(second_per_grid: float | None, answer_positions: str) -> None:
    """Checks the clock of the final pass: seconds above 0, and positions that read times; None is no clock.

    Raises ValueError that names the key.
    """
    if second_per_grid is None:
        return
    if not 0 < second_per_grid < float("inf"):
        raise ValueError(
            f"{KEY}.second_per_grid must be seconds above 0, or null for the real times; got {second_per_grid}"
        )
    if answer_positions != "original":
        raise ValueError(
            f"{KEY}.second_per_grid={second_per_grid} sets the times that answer_positions=original reads, got "
            f"answer_positions={answer_positions}: set {KEY}.second_per_grid=null or answer_positions=original"
        )


def open_checkpoint(checkpoint: str, *wanted: str) -> Opened:
    """Finds a checkpoint of one of the `wanted` model types, and reads its configuration and tokenizer.

    Raises ValueError where it cannot be used; no weight is read.
    """
    place, local = locate_checkpoint(checkpoint, *wanted)
    with _named_failures(place):
        config = AutoConfig.from_pretrained(place, local_files_only=local)
    return Opened(place, local, config, load_tokenizer(place, local))


def locate_checkpoint(checkpoint: str, *wanted: str) -> tuple[str, bool]:
    """Returns where the checkpoint is (folder or Hub id), and whether it is local.

    Raises ValueError where there is no such checkpoint, or where its model type is none of the `wanted`. Raises it also
    where a file of a folder is missing, is cut off or is no more than a pointer to the file.
    """
    place, local = find(str(checkpoint))
    try:
        found = model_type(place, local)
    except (OSError, ValueError) as error:
        raise ValueError(f"{KEY}.checkpoint: {str(error).splitlines()[0]}") from error
    if found not in wanted:
        expected = " or ".join(map(repr, wanted))
        raise ValueError(
            f"{KEY}.checkpoint: {place} holds a model of type {found!r}, expected {expected}: {advice(found)}"
        )
    if local:
        _check_files(Path(place))
    return place, local


def _check_files(folder: Path) -> None:
    """ValueError where a file that a model is loaded from is missing or cannot be read. No tensor is read."""
    try:
        for file in (folder / f"{name}.json" for name in TOLD):
            if os.path.lexists(file):
                read_json(file)
        if not any(all((folder / name).is_file() for name in names) for names in VOCABULARIES):
            raise ValueError(f"{folder / 'tokenizer.json'} does not exist: the checkpoint has no tokenizer")
        if not (files := model_files(folder)):
            raise ValueError(f"{folder / 'model.safetensors'} does not exist, nor shards of it: there are no weights")
        Stored(files)
    except ValueError as error:
        raise ValueError(f"{KEY}.checkpoint: {error}") from error


def load_model(
    model_class: Any,
    place: str,
    local: bool,
    dtype: str,
    device: torch.device,
    device_map: Any,
    attention: str,
    config: PreTrainedConfig | None = None,
    tensor_parallel: bool = False,
) -> Any:
    """Loads a model, in evaluation mode. `config`, if given, takes the place of the checkpoint's.

    With `tensor_parallel` every process of the group loads a part of it, and `device` is not read.

    Raises ValueError where weights are missing, have another shape or are not finite. Raises it also where
    flash_attention_2 is not installed, or is asked for with float32.
    """
    if attention == "flash_attention_2":
        if not is_flash_attn_2_available():
            raise ValueError(
                f"{KEY}.attention is flash_attention_2, which is not installed: take sdpa, or pip install flash-attn"
            )
        if dtype == "float32":
            raise ValueError(f"{KEY}.attention=flash_attention_2 needs {KEY}.dtype=bfloat16 or float16; got float32")
    with quiet(), _named_failures(place):
        model, info = model_class.from_pretrained(
            place,
            config=config,
            dtype=DTYPES[dtype],
            attn_implementation=attention,
            device_map=device_map,
            local_files_only=local,
            output_loading_info=True,
            **(parts.wishes() if tensor_parallel else {}),
        )
    wrong = sorted(map(str, [*info["missing_keys"], *info.get("mismatched_keys", ())]))
    if wrong:
        raise ValueError(
            f"{KEY}.checkpoint: {place} lacks {len(wrong)} weights or holds them in another shape, e.g. {wrong[0]}"
        )
    if device_map is None and not tensor_parallel:
        model = model.to(device)
    maps.tell(model)
    _check_numbers(model, place, dtype)
    return model.eval()


def load_under(
    overlay: WeightOverlay | None,
    model_class: Any,
    opened: Opened,
    dtype: str,
    device: torch.device,
    device_map: Any,
    attention: str,
    tensor_parallel: bool = False,
) -> Any:
    """Loads a model as `load_model` does and lays an overlay's weights over it, which is prepared before."""
    lay_over = None if overlay is None else overlay.prepare(opened.place, opened.local)
    model = load_model(
        model_class, opened.place, opened.local, dtype, device, device_map, attention, None, tensor_parallel
    )
    if lay_over is not None:
        lay_over(model)
    return model


@contextmanager
def _named_failures(place: str) -> Iterator[None]:
    """What transformers says of files that it cannot have or read, behind the key."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{KEY}.checkpoint: {place} cannot be loaded: {reason}") from error


def _check_numbers(model: Any, place: str, dtype: str) -> None:
    """ValueError where a weight is not finite. It names the file where the number is so in the file."""
    try:
        refuse_non_finite(model.named_parameters(), place)
    except ValueError as error:
        for file in model_files(Path(place)):
            refuse_non_finite(Stored([file]).items(), f"{KEY}.checkpoint: {file}")
        raise ValueError(f"{KEY}.checkpoint: {error} (as {KEY}.dtype={dtype})") from error
