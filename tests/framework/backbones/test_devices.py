"""Where a module computes: its weight's device, or what a hook of accelerate says."""

from __future__ import annotations

import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import nn

from framework.backbones.devices import home, homes


def test_a_weight_on_disk_is_on_no_device_but_its_hook_knows() -> None:
    plain, offloaded = nn.Linear(2, 2), nn.Linear(2, 2)
    assert home(plain) == torch.device("cpu")
    cpu_offload(offloaded, torch.device("cpu"))
    assert offloaded.weight.device.type == "meta" and home(offloaded) == torch.device("cpu")
    assert home(nn.Sequential(offloaded)) == torch.device("cpu")


def test_the_first_part_is_given_the_inputs() -> None:
    """A later layer that computes elsewhere does not say where the first one does."""
    first, last = nn.Linear(2, 2), nn.Linear(2, 2)
    add_hook_to_module(last, AlignDevicesHook("meta", place_submodules=False))
    assert home(nn.Sequential(first, last)) == torch.device("cpu")
    assert home(nn.Sequential(last, first)) == torch.device("meta")
    assert homes([first, last]) == {torch.device("cpu"), torch.device("meta")}
    with pytest.raises(ValueError, match="ReLU has no weights, so it is nowhere"):
        home(nn.ReLU())
