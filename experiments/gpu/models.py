"""The model that is timed: Qwen2.5-VL with random weights, written once and loaded as any other checkpoint is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from omegaconf import DictConfig

from framework.backbones.base import DecoderBackbone
from framework.backbones.loading import DTYPES
from framework.config.build import build
from framework.config.parts import prompt_template
from framework.core.backbone import Backbone
from framework.core.types import Question
from framework.engine.pipeline import Pipeline
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.random_model import CELL, SEVEN_B, Sizes, write
from framework.profiling.room import check_room
from framework.profiling.setting import compose, pipeline

FRAMES_PER_TICK = 2
WAYS = {
    "adapttoken": {},
    "half of the groups": {"scheduler": "van_der_corput", "stopping": "share", "stopping__share": 0.5},
}  # and what each changes in preset=adapttoken


@dataclass(frozen=True)
class Shape:
    """Says what is timed: the sizes of a model, and of what it is shown."""

    sizes: Sizes
    dtype: str
    grid: tuple[int, int]  # rows and columns of tokens in a frame
    words: int  # of a question


SHAPES = {
    "7b": Shape(SEVEN_B, "bfloat16", (11, 19), 60),
    "midsize": Shape(Sizes(16, 640, 10, 2, 2272, 8, 384, 6, 1536, 1), "float32", (4, 8), 60),
    "tiny": Shape(Sizes(4, 64, 2, 1, 96, 2, 32, 2, 48, 1), "float32", (2, 4), 8),
}


@dataclass(frozen=True)
class Asked:
    """Holds a loaded model and the configuration of what asks it."""

    shape: Shape
    folder: str
    device: str
    ticks: int
    budget: int
    backbone: DecoderBackbone
    cfg: DictConfig

    @property
    def pixels(self) -> tuple[int, int]:
        """Returns height and width of a frame, in pixels."""
        return self.shape.grid[0] * CELL, self.shape.grid[1] * CELL

    def pipeline(self, frames: int, way: str = "adapttoken") -> Pipeline:
        """Builds the pipeline of a way for a film of noise with so many frames."""
        cfg = _compose(self.shape, self.folder, self.device, self.ticks, self.budget, **WAYS[way])
        return pipeline(cfg, NoiseReader(frames, *self.pixels), lambda: self.backbone)

    def groups(self, count: int, ticks: int = 0) -> Pipeline:
        """Builds the pipeline for a film of `count` groups; `ticks` each, where that is not the usual number."""
        asked = replace(self, ticks=ticks or self.ticks)
        return asked.pipeline(count * asked.ticks * FRAMES_PER_TICK)

    def questions(self, count: int) -> list[Question]:
        """Makes questions."""
        return questions(count, self.shape.words, prompt_template(self.cfg))


@contextmanager
def loaded(shape: Shape, device: str, ticks: int, budget: int, seed: int, attention: str = "sdpa") -> Iterator[Asked]:
    """Writes a model with random weights and loads it. Its files are gone after the block."""
    check_room("this model", shape.sizes, DTYPES[shape.dtype].itemsize, device, 0, 0)
    with TemporaryDirectory(prefix="tokensieve-") as folder:
        cfg = _compose(shape, folder, device, ticks, budget, backbone__adapter__attention=attention)
        write(shape.sizes, Path(folder), device, shape.dtype, seed)
        found = build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
        yield Asked(shape, folder, device, ticks, budget, cast(DecoderBackbone, found), cfg)


def _compose(shape: Shape, folder: str, device: str, ticks: int, budget: int, **more: object) -> DictConfig:
    pixels = shape.grid[0] * shape.grid[1] * CELL**2
    return compose(
        "adapttoken",
        ticks,
        shape.sizes.layers,
        budget=budget,
        backbone__adapter__checkpoint=folder,
        backbone__adapter__dtype=shape.dtype,
        backbone__adapter__device=device,
        backbone__adapter__min_pixels=pixels,
        backbone__adapter__max_pixels=pixels,
        **more,
    )
