"""Optimiser and learning rate that the training modules share: AdamW, warm-up, then constant or cosine, by step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """`steps` optimiser steps; `floor` is the final share of `rate` (1: constant after the warm-up)."""

    steps: int
    rate: float
    warmup: int
    floor: float
    weight_decay: float
    clip: float  # largest gradient norm

    def share(self, step: int) -> float:
        """Share of the rate at a step."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))
        return min(1.0, (step + 1) / self.warmup) * (self.floor + (1 - self.floor) * cosine)


def optimizer(module: nn.Module, schedule: Schedule) -> dict[str, Any]:
    """What Lightning's configure_optimizers returns; only the matrices of linear and convolution layers decay."""
    rows = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decaying = [p for p in trained if p.ndim >= 2 and id(p) not in rows]
    groups = [
        {"params": decaying, "weight_decay": schedule.weight_decay},
        {"params": [p for p in trained if p.ndim < 2 or id(p) in rows], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), eps=1e-8)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, schedule.share)
    return {"optimizer": adam, "lr_scheduler": {"scheduler": rates, "interval": "step"}}
