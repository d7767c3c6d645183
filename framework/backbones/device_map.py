"""Whether a device map fits a model, said before a weight is read; and where its modules ended up. Knows no family."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedModel

from framework.backbones.beside import quiet

KEY = "backbone.adapter.device_map"
BY_NAME = ("auto", "balanced", "balanced_low_0", "sequential")
DISK = "disk"
_log = logging.getLogger(__name__)


def check(device_map: Any, config: Any, in_memory: Sequence[str] = ()) -> None:
    """Checks that a device map fits the model of a configuration; None is no map. No weight is allocated.

    `in_memory`: parameters that no module of their own reads, so that they cannot be fetched from the disk. Raises
    ValueError that names the key for a device that is not there, a part that the model does not have, a part that is
    left out, and a layer that is torn apart.
    """
    if device_map is None:
        return
    if not isinstance(device_map, Mapping):
        if device_map not in BY_NAME:
            _check_device(device_map, f"one of {', '.join(BY_NAME)}, a device, or a map of parts to devices")
        return
    for part, device in device_map.items():
        _check_device(device, f"cpu, {DISK}, 0, cuda:1, ... for {part!r}")
    with quiet(), torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    _check_parts(device_map, model)
    _check_whole(device_map, model)
    for name in in_memory:
        if str(device_of(name, device_map)) == DISK:
            raise ValueError(on_disk(name))


def on_disk(name: str) -> str:
    """Says that a parameter, which must be in memory, lies on disk."""
    return f"{KEY}: the row {name.rpartition('.')[2]} must be in memory; it lies on disk"


def device_of(name: str, device_map: Mapping[str, Any]) -> Any:
    """Returns the device of a parameter or module: that of the longest part that holds it. None: no part does."""
    parts = name.split(".")
    held = (".".join(parts[:length]) for length in range(len(parts), -1, -1))
    return next((device_map[part] for part in held if part in device_map), None)


def tell(model: Any) -> None:
    """Logs how many weights of a loaded model lie on disk, where any do: every pass reads them again."""
    placed = getattr(model, "hf_device_map", None) or {}
    if DISK not in map(str, placed.values()):
        return
    sizes: Counter[bool] = Counter()
    for name, weight in model.named_parameters():
        sizes[str(device_of(name, placed)) == DISK] += weight.numel() * weight.element_size()
    _log.warning(
        "%s: %.0f %% of the weights, %.2f GiB, lie on disk, and every pass reads them again: slow",
        *(KEY, 100 * sizes[True] / sizes.total(), sizes[True] / 2**30),
    )


def _check_device(device: Any, expected: str) -> None:
    """ValueError where no such device is here."""
    if device in ("cpu", DISK):
        return
    try:
        found = torch.device(f"cuda:{device}" if type(device) is int and device >= 0 else device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{KEY}: got {device!r}, expected {expected}") from error
    there = torch.cuda.device_count()
    if found.type == "meta" or (found.type == "cuda" and (found.index or 0) >= there):
        raise ValueError(f"{KEY}: got {device!r}, but there are {there} CUDA devices here: expected {expected}")


def _check_parts(device_map: Mapping[str, Any], model: nn.Module) -> None:
    """ValueError where a part is unknown, or a parameter is in none."""
    known = {"", *(name for name, _ in model.named_modules()), *(name for name, _ in model.named_parameters())}
    if unknown := [part for part in device_map if part not in known]:
        raise ValueError(f"{KEY}: the model has no part {unknown[0]!r}, expected parts such as {_examples(model)}")
    left = [name for name, _ in model.named_parameters() if device_of(name, device_map) is None]
    if left:
        raise ValueError(
            f"{KEY}: no part holds {len(left)} weights, e.g. {left[0]}: name a part that does, or '' for the rest"
        )


def _check_whole(device_map: Mapping[str, Any], model: nn.Module) -> None:
    """ValueError where the weights of a layer, inside which tensors meet, are on several devices."""
    for name, layer in _layers(model):
        inside = {str(device_of(f"{name}.{weight}", device_map)) for weight, _ in layer.named_parameters()}
        if len(inside) > 1:
            raise ValueError(
                f"{KEY}: {name} must be on one device, got {' and '.join(sorted(inside))}: give {name} one device"
            )


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that transformers says must not be split."""
    whole = {
        kind for part in model.modules() if isinstance(part, PreTrainedModel) for kind in (part._no_split_modules or ())
    }
    return ((name, part) for name, part in model.named_modules() if type(part).__name__ in whole)


def _examples(model: Any) -> str:
    children = [*((f"model.{name}", part) for name, part in model.model.named_children()), *model.named_children()]
    return ", ".join(name for name, _ in children if name != "model")
