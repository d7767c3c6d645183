"""Where a module computes: its weight's device, or what a hook of accelerate says."""

from __future__ import annotations

import torch
from accelerate import cpu_offload
from torch import nn

from framework.backbones.devices import home


def test_a_weight_on_disk_is_on_no_device_but_its_hook_knows() -> None:
    plain, offloaded = nn.Linear(2, 2), nn.Linear(2, 2)
    assert home(plain) == torch.device("cpu")
    cpu_offload(offloaded, torch.device("cpu"))
    assert offloaded.weight.device.type == "meta" and home(offloaded) == torch.device("cpu")
    assert home(nn.Sequential(offloaded)) == torch.device("cpu")
