"""Seconds of a vision tower, and of the language model behind it, with and without a gaze that chooses what enters.

Untrained weights of the published shapes: how long a gaze takes depends on how much it picks, not on what. Stages are
timed one after the other, all arms in turn. Where fewer layers run than a network has, what the layers took is scaled
up to all of them, for they are alike; what is around them is not. Source of the gaze: AutoGaze (arXiv 2603.12254).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from framework.profiling.base import Row, Spent, side_by_side
from framework.profiling.language import DEPTH, Language
from framework.profiling.layer_timing import Layers
from framework.profiling.tower import DTYPES, WHOLE, TowerBench
from framework.profiling.towers import TOWERS, Tower
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.tiling import gaze_tiles
from strategies.learned.autogaze.gaze.token_grid import Canvas

CELL, PER_TICK, ETA = 28, 2, 0.5  # of a token: pixels, frames; how scores weigh coarse patches (token_grid.scores)
READ = ("qwen2_5_vl_3b",)  # towers with a language model behind them
VISION, STAGES = ("gaze", "tower"), ("gaze", "tower", "llm")
SPANS = {"vision": VISION, "all": STAGES}
Took = Mapping[str, Sequence[Spent]]


@dataclass(frozen=True)
class GazeBench(TowerBench):
    """Measures a vision tower, and the language model behind it, with and without a gaze.

    The fields are the keys of conf/what/gaze.yaml, where each is explained. Raises ValueError naming one that is wrong.
    """

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
        """Yields per tower and size a row without a gaze, then one for each share that a gaze leaves.

        A row holds the patches that enter the tower and the tokens that the language model reads. It holds the
        processor's seconds of every stage, and the seconds of them together, as run. It holds the processor's seconds
        with all layers, of vision (gaze and tower) and of all three. Each x says how many times more it is without a
        gaze; s x is measured by the clock. Numbers are medians over the rounds.
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
        for arm in arms:
            row: Row = {"tower": name, "pixels": size, "kept": arm, "patches": layers.rows[f"{arm} tower"]}
            row["tokens"] = reading.rows[f"{arm} llm"] if reading else 0
            row |= {f"{stage} cpu": _middle(_sums(took, arm, [stage], 1), 3) for stage in STAGES}
            row["s"] = _middle(_sums(took, arm, STAGES, 0), 3)
            row |= {of: _middle(_sums(whole, arm, stages, 1), 2) for of, stages in SPANS.items()}
            for of, stages, clock in (("vision x", VISION, 1), ("all x", STAGES, 1), ("s x", STAGES, 0)):
                pairs = zip(_sums(whole, WHOLE, stages, clock), _sums(whole, arm, stages, clock), strict=True)
                row[of] = _middle([dense / own for dense, own in pairs], 2)
            yield row

    def _noise(self, size: int) -> Tensor:
        shape = (self.frames, 3, size, size)
        return torch.randint(0, 256, shape, dtype=torch.uint8, device=self.place)


def _sums(took: Took, arm: str, stages: Sequence[str], field: int) -> list[float]:
    """Of every round: what some stages of an arm took together, by the clock (0) or of the processor (1)."""
    parts = [took[f"{arm} {stage}"] for stage in stages if f"{arm} {stage}" in took]
    return [sum(one[field] for one in of) for of in zip(*parts, strict=True)] or [0.0]


def _middle(values: Sequence[float], digits: int) -> float:
    return round(median(values), digits)


def _patches(gaze: Gaze, clip: Tensor, share: float, tiles: int) -> Tensor:
    """What the gaze picks of u8 [T, 3, S, S], the same number in every frame and tile: bool [1, T, patches]."""
    tiled = gaze_tiles(gaze, clip, Control(_picks(gaze, share)), gaze.config.side, tiles)
    return torch.cat([mask.flatten(1) for mask in tiled.masks(gaze.vocabulary)], dim=1)[None]


def _cells(gaze: Gaze, clip: Tensor, share: float, tiles: int) -> Tensor:
    """The tokens that the gaze thinks most of, in u8 [T, 3, S, S]: bool [T / 2 * (S / 28)^2]."""
    side, picks = clip.shape[-1] // CELL, _picks(gaze, share)
    canvas = Canvas((side, side), (CELL, CELL), gaze.vocabulary.grids[-1])
    (seen,) = canvas.look(gaze, clip[None], Control(picks), picks, ETA, tiles)
    best = seen.scores.unflatten(0, (-1, PER_TICK)).amax(1).flatten()
    return torch.zeros_like(best, dtype=torch.bool).scatter(
        0, best.topk(max(1, round(share * len(best)))).indices, True
    )


def _picks(gaze: Gaze, share: float) -> int:
    return max(1, round(share * gaze.vocabulary.size))


CHOICES: dict[str, Callable[[Gaze, Tensor, float, int], Tensor]] = {
    "siglip_base": _patches,
    "qwen2_5_vl_3b": _cells,
}
