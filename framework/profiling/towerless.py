"""The adapter of Qwen2.5-VL without its vision tower: what the host does with pixels on their way there is left."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.config.build import build
from framework.core.backbone import Backbone
from framework.core.types import Frames, Group
from framework.profiling.random_model import Sizes, write
from framework.profiling.setting import compose

SMALL = Sizes(1, 32, 2, 2, 32, 1, 16, 2, 16, 1)  # nothing of it runs


class Towerless(Qwen25VL):
    """Implements the adapter up to the tower, whose place nothing takes: embeddings are not computed."""

    def _tower(self, pixels: Tensor, keep: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        pixels.to(self.tower.device, non_blocking=True)
        return torch.empty(int(keep.sum()), self.tower.config.out_hidden_size, device=self.tower.device), {}


def towerless(preset: str, place: str, pixels: int) -> Towerless:
    """Builds the adapter for frames of so many pixels, on cpu or cuda."""
    with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
        words = {"checkpoint": folder, "device": place, "min_pixels": pixels, "max_pixels": pixels}
        words |= {"_target_": f"{__name__}.Towerless", "dtype": "float32"}
        cfg = compose(preset, 1, 1, **{f"backbone.adapter.{key}": value for key, value in words.items()})
        write(SMALL, Path(folder), "cpu", "float32", 0)
        adapter = build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
    assert isinstance(adapter, Towerless)
    return adapter


def pixel_seconds(adapter: Towerless, groups: Sequence[tuple[Group, Frames]]) -> float:
    """Encodes groups without the tower. Returns the processor's seconds of this thread."""
    layouts = [adapter.layout(group.ticks, *frames.pixels.shape[-2:]) for group, frames in groups]
    start = time.thread_time()
    for (_, frames), layout in zip(groups, layouts, strict=True):
        adapter.encode(frames, layout)
    return time.thread_time() - start
