"""Where a module of a model computes, also when accelerate keeps its weights elsewhere until it runs."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def home(module: nn.Module) -> torch.device:
    """Returns the device that a module's inputs are moved to.

    A weight that lies on disk is on no device ("meta"); its hook knows where it will be when the module runs.
    """
    for part in module.modules():
        hook = getattr(part, "_hf_hook", None)
        for one in getattr(hook, "hooks", (hook,)):  # one, or several in a row
            device = getattr(one, "execution_device", None)
            if device is not None:
                return torch.device(device)
        for weight in part.parameters(recurse=False):  # parts run in their order: the first one is given the inputs
            return weight.device
    raise ValueError(f"{type(module).__name__} has no weights, so it is nowhere")


def homes(modules: Iterable[nn.Module]) -> set[torch.device]:
    """Returns the devices on which modules compute."""
    return {home(module) for module in modules}
