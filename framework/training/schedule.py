"""Optimiser and learning rate that the training modules share: AdamW, warm-up, then constant or cosine, by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """Describes the learning rate over `steps` optimiser steps, the weight decay and the clipping.

    `floor` is the final share of `rate` (1: constant after the warm-up).
    """

    steps: int
    rate: float
    warmup: int
    floor: float
    weight_decay: float
    clip: float  # largest gradient norm

    def __post_init__(self) -> None:
        if self.steps < 1 or self.warmup < 1:
            raise ValueError(f"schedule.steps and .warmup must be at least 1, got {self.steps} and {self.warmup}")

    def share(self, step: int) -> float:
        """Returns the learning rate at a step as a share of `rate`."""
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1)))
        return min(1.0, (step + 1) / self.warmup) * (self.floor + (1 - self.floor) * cosine)


def optimizer(module: nn.Module, schedule: Schedule) -> dict[str, Any]:
    """Returns AdamW and its schedule for one module at the schedule's rate.

    The form is the one that Lightning's configure_optimizers must return.
    """
    return grouped_optimizer([(module, 1.0)], schedule)


def grouped_optimizer(modules: Sequence[tuple[nn.Module, float]], schedule: Schedule) -> dict[str, Any]:
    """Returns AdamW and its schedule for several modules, each at its share of the rate.

    The form is that of `optimizer`. Weights with two or more axes decay, except those of `nn.Embedding`.
    """
    groups: list[dict[str, Any]] = []
    for module, share in modules:
        rows = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        still = [p for p in trained if p.ndim < 2 or id(p) in rows]
        decaying = [p for p in trained if p.ndim >= 2 and id(p) not in rows]
        pair = ((decaying, schedule.weight_decay), (still, 0.0))
        groups += [{"params": p, "weight_decay": decay, "lr": schedule.rate * share} for p, decay in pair if p]
    adam = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), eps=1e-8)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, schedule.share)
    return {"optimizer": adam, "lr_scheduler": {"scheduler": rates, "interval": "step"}}
