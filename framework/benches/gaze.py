"""Seconds of a vision tower, and of the language model behind it, with and without a gaze that chooses what enters.

Untrained weights of the published shapes: how long a gaze takes depends on how much it picks, not on what. Stages are
timed one after the other, all arms in turn. Where fewer layers run than a network has, what the layers took is scaled
up to all of them, for they are alike; what is around them is not. Source of the gaze: AutoGaze (arXiv 2603.12254).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from framework.benches.base import Row, Spent, side_by_side
from framework.benches.language import DEPTH, Language
from framework.benches.layers import Layers
from framework.benches.tower import DTYPES, WHOLE, TowerBench
from framework.benches.towers import TOWERS, Tower
from framework.networks.gaze.cells import Canvas
from framework.networks.gaze.control import Control
from framework.networks.gaze.model import Gaze, GazeConfig
from framework.networks.gaze.tiling import gaze_tiles

CELL, PER_TICK, ETA = 28, 2, 0.5  # of a token: pixels, frames; how scores weigh coarse patches (cells.scores)
READ = ("qwen2_5_vl_3b",)  # towers with a language model behind them
STAGES = ("gaze", "tower", "llm")


@dataclass(frozen=True)
class GazeBench(TowerBench):
    """The fields are the keys of conf/what/gaze.yaml, where each is explained; ValueError names one that is wrong."""

    llm_layers: int
    text: int
    tiles: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, value, least in (("llm_layers", self.llm_layers, 0), ("text", self.text, 0), ("tiles", self.tiles, 1)):
            if value < least:
                raise ValueError(f"what.{key}: got {value}, expected at least {least}")

    @torch.inference_mode()
    def rows(self) -> Iterator[Row]:
        """Per tower and size without a gaze, then with one that leaves each share: what enters the tower (patches) and
        the language model (tokens), seconds of every stage as run, processor's seconds of every stage with all its
        layers (medians over the rounds); x: how many times more it is without a gaze, before the language model
        (vision) and with it (all).
        """
        torch.manual_seed(self.seed)
        gaze = Gaze.random(GazeConfig.official(), self.seed).to(self.place)
        for name in self.towers:
            tower = TOWERS[name](self.layers, self.mask, self.place, DTYPES[self.dtype])
            read = name in READ and self.llm_layers > 0
            language = Language(self.llm_layers, self.place, DTYPES[self.dtype]) if read else None
            for size in self.sizes:
                yield from self._of(name, gaze, tower, language, size)

    def _of(self, name: str, gaze: Gaze, tower: Tower, language: Language | None, size: int) -> Iterator[Row]:
        pixels, clip = tower.pixels(self.frames, size), self._noise(size)
        layers = Layers(tower.layers, tower.depth)
        reading = Layers(language.layers, DEPTH) if language else None
        kept: dict[str, Tensor] = {}
        runs: dict[str, Callable[[], object]] = {}

        def look(arm: str, share: float) -> None:
            kept[arm] = CHOICES[name](gaze, clip, share, self.tiles)

        def encode(arm: str) -> object:
            return tower.gathered(pixels, kept[arm]) if arm in kept else tower.dense(pixels)

        def answer(arm: str) -> object:
            assert language is not None
            return language.prefill(self.text + tokens(arm))

        def tokens(arm: str) -> int:
            return int(kept[arm].sum()) if arm in kept else torch.Size(tower.places(self.frames, size)).numel()

        arms = [WHOLE, *(f"{share:g}" for share in self.shares)]
        for arm, share in zip(arms, (None, *self.shares), strict=True):
            if share is not None:
                runs[f"{arm} gaze"] = partial(look, arm, share)
            runs[f"{arm} tower"] = partial(layers.around, f"{arm} tower", partial(encode, arm))
            if reading:
                runs[f"{arm} llm"] = partial(reading.around, f"{arm} llm", partial(answer, arm))
        took = side_by_side(runs, self.rounds)
        layers.close()
        if reading:
            reading.close()
        whole = {**took, **layers.whole(took), **(reading.whole(took) if reading else {})}
        none = [Spent(0.0, 0.0)] * len(took[f"{WHOLE} tower"])

        def together(arm: str, stages: tuple[str, ...]) -> list[float]:
            parts = [whole.get(f"{arm} {stage}", none) for stage in stages]
            return [sum(one.processor_seconds for one in of) for of in zip(*parts, strict=True)]

        def times(arm: str, stages: tuple[str, ...]) -> float:
            pairs = zip(together(WHOLE, stages), together(arm, stages), strict=True)
            return round(median(dense / own for dense, own in pairs), 2)

        for arm in arms:
            measured = {stage: took.get(f"{arm} {stage}", none) for stage in STAGES}
            row: Row = {"tower": name, "layers": len(tower.layers), "llm layers": self.llm_layers if reading else 0}
            row |= {"pixels": size, "frames": self.frames, "kept": arm, "patches": layers.rows[f"{arm} tower"]}
            row |= {"tokens": reading.rows[f"{arm} llm"] if reading else 0}
            row |= {f"{stage} s": round(median(one.seconds for one in runs), 3) for stage, runs in measured.items()}
            row |= {f"{stage} cpu s": round(median(together(arm, (stage,))), 3) for stage in STAGES}
            yield row | {"vision x": times(arm, STAGES[:2]), "all x": times(arm, STAGES)}

    def _noise(self, size: int) -> Tensor:
        shape = (self.frames, 3, size, size)
        return torch.randint(0, 256, shape, dtype=torch.uint8, device=self.place)


def _patches(gaze: Gaze, clip: Tensor, share: float, tiles: int) -> Tensor:
    """What the gaze picks of u8 [T, 3, S, S], the same number in every frame and tile: bool [1, T, patches]."""
    tiled = gaze_tiles(gaze, clip, Control(_picks(gaze, share)), gaze.config.side, tiles)
    return torch.cat([mask.flatten(1) for mask in tiled.masks(gaze.vocabulary)], dim=1)[None]


def _cells(gaze: Gaze, clip: Tensor, share: float, tiles: int) -> Tensor:
    """The tokens that the gaze thinks most of, in u8 [T, 3, S, S]: bool [T / 2 * (S / 28)^2]."""
    side, picks = clip.shape[-1] // CELL, _picks(gaze, share)
    canvas = Canvas((side, side), (CELL, CELL), gaze.vocabulary.grids[-1])
    scores = canvas.look(gaze, clip, Control(picks), picks, ETA, tiles).scores.unflatten(0, (-1, PER_TICK))
    best = scores.amax(1).flatten()
    return torch.zeros_like(best, dtype=torch.bool).scatter(
        0, best.topk(max(1, round(share * len(best)))).indices, True
    )


def _picks(gaze: Gaze, share: float) -> int:
    return max(1, round(share * gaze.vocabulary.size))


CHOICES: dict[str, Callable[[Gaze, Tensor, float, int], Tensor]] = {
    "siglip_base": _patches,
    "qwen2_5_vl_3b": _cells,
}
