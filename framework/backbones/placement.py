"""Where a model is to compute: on one device, on several by a device map, or cut over processes. Knows no family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from framework.backbones import device_map as maps
from framework.backbones import tensor_parallel as processes

KEY = "backbone.adapter"


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


def check(
    config: Any, device: str, device_map: Any, tensor_parallel: bool, overlay: object, in_memory: Sequence[str] = ()
) -> bool:
    """Checks that the model of a configuration can lie as its keys say, and returns `tensor_parallel`.

    `in_memory`: parameters that cannot lie on disk. Raises ValueError that names the key; no weight is read.
    """
    processes.check(tensor_parallel, config, device, device_map, overlay is not None)
    maps.check(device_map, config, in_memory)
    return tensor_parallel
