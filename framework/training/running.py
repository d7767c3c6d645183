"""Where and how a training runs, and how what it encoded is named. Knows no recipe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class Running:
    """Says where and how a training runs. None of it changes the result but for the order of floating-point sums."""

    folder: Path
    threads: int
    workers: int  # 0 or 1 processes that draw batches ahead
    accelerator: str
    progress: bool
    save_every: int  # steps
    measure_every: int  # steps
    measure_batches: int
    logger: Callable[[Path], Logger]  # given the folder of curves
    cache: Path  # of encoded videos


def features_name(description: str, weights: Mapping[str, torch.Tensor]) -> str:
    """Returns 20 characters that name features: they follow from what was encoded and from the weights."""
    digest = hashlib.sha256(description.encode())
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:20]
