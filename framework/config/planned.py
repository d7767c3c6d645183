"""What a configuration asks of memory: which groups, tokens and passes there would be for a film of some length.

Builds strategies, and no backbone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

from omegaconf import DictConfig

from framework.backbones.grid import Limits
from framework.backbones.loading import DTYPES
from framework.backbones.memory import Run
from framework.backbones.shape import Shape
from framework.config.build import build_plain, plain_node
from framework.config.parts import build_strategies
from framework.core.interfaces import Strategy
from framework.core.view import Needs
from framework.video.sampling import Sampling

FPS = 25.0  # of a film whose sampling takes every frame


@dataclass(frozen=True)
class Film:
    """Holds what is assumed of a video and of what is asked about it. Raises ValueError that names a wrong key."""

    height: int
    width: int
    seconds: float
    questions: int
    words: int  # text tokens of a question with its options

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{key} must be above 0, got {value}")


def run_of(cfg: DictConfig, shape: Shape, film: Film, cuda: bool) -> Run:
    """Returns what the strategies and the backbone of `cfg` would look at. `cuda`: on such a device."""
    adapter = plain_node(cfg.backbone.adapter, "backbone.adapter")
    strategies = build_strategies(cfg)
    needs = reduce(Needs.__or__, (part.needs for part in strategies.values() if isinstance(part, Strategy)))
    sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
    frames = _frames(sampling, film, shape.tower.frames)
    ticks = -(-frames // shape.tower.frames)
    height, width, tokens = _grid(adapter, shape, film, frames)
    group = min(ticks, getattr(strategies["splitter"], "ticks_per_group", ticks))
    if not needs.frames:  # just the ticks of the best tokens are decoded and encoded: whole ones, by these strategies
        group = min(group, -(-cfg.budget // tokens))
    item = DTYPES[adapter["dtype"]].itemsize
    served = adapter["attention"] == "sdpa" and not shape.states and (not cuda or item < 4)
    return Run(
        ticks=ticks,
        group=group,
        frames_per_tick=shape.tower.frames,
        height=height,
        width=width,
        tokens=tokens,
        tick_text=tick_text(shape.kind, adapter, ticks, film.seconds, _rows(shape)) / ticks,
        budget=cfg.budget,
        candidates=min(ticks * tokens, math.ceil(round(strategies["refiner"].overshoot * cfg.budget, 9))),
        questions=film.questions,
        per_pass=adapter["questions_per_pass"],
        rows=film.words,
        layers=needs.attention,
        logits=needs.logits,
        item=item,
        repeated=not served,
    )


def tick_text(kind: str, adapter: dict[str, Any], ticks: int, seconds: float, rows: int) -> float:
    """Counts the text tokens around the ticks of a video of `seconds` seconds, all of them. `rows`: of cells.

    A digit is a token. Qwen3-VL and Qwen3.5 write `<9.3 seconds>` and two brackets; InternVL `Frame3: `, two brackets
    and a line end; LLaVA has newlines that are no text but take places.
    """
    if kind.startswith(("qwen3_vl", "qwen3_5")):
        times = ((tick + 0.5) * seconds / ticks for tick in range(ticks))
        return sum(7 + len(str(int(time))) for time in times)
    if kind == "internvl":
        label = adapter["frame_text"].format(n="")
        words = 3 if label else 0  # of `Frame`, `:` and a space
        digits = sum(len(str(tick + 1)) for tick in range(ticks)) if "{" in adapter["frame_text"] else 0
        return ticks * (2 + words) + digits + (ticks - 1) * bool(adapter["between"])
    if kind == "llava_onevision":
        return ticks * rows if adapter["newline"] == "grid" else 1
    return 0


def _frames(sampling: Sampling, film: Film, frames_per_tick: int) -> int:
    if sampling.timestamps is not None:
        return len(sampling.timestamps)
    most = max(sampling.max_frames // frames_per_tick, 1) * frames_per_tick
    there = round(film.seconds * (sampling.fps or FPS))
    return max(1, min(most, max(there, sampling.min_frames)))


def _grid(adapter: dict[str, Any], shape: Shape, film: Film, frames: int) -> tuple[int, int, int]:
    """(height, width, tokens) of a resized frame."""
    tower = shape.tower
    if tower.side is not None:
        return tower.side, tower.side, _rows(shape) ** 2
    cell = tower.patch * round(tower.patches_per_token**0.5)
    limits = Limits(adapter["min_pixels"], adapter["max_pixels"], adapter["total_pixels"])
    height, width = limits.frame_size(film.height, film.width, cell, frames, tower.frames)
    return height, width, (height // cell) * (width // cell)


def _rows(shape: Shape) -> int:
    """Rows of cells in a square frame; 0 where frames keep their own aspect."""
    tower = shape.tower
    return 0 if tower.side is None else -(-(tower.side // tower.patch) // 2)
