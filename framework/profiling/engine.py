"""Measures what answering costs over the passes through the model that it cannot do without, and what it saves.

The model has random weights, and the film is noise in memory: nothing is decoded. What a pass costs depends on sizes
alone. All arms keep the tokens that the pipeline keeps.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import torch
from omegaconf import DictConfig

from framework.backbones.base import DecoderBackbone
from framework.backbones.loading import DTYPES
from framework.config.build import build
from framework.config.parts import prompt_template
from framework.config.plugins import options
from framework.core.backbone import Backbone
from framework.core.errors import UsageError
from framework.core.types import Question, Selection
from framework.engine.pipeline import Pipeline
from framework.profiling import checks
from framework.profiling.base import Bench, Row, Spent, side_by_side
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.passes import Passes
from framework.profiling.random_model import CELL, SEVEN_B, Sizes, write
from framework.profiling.room import check_room
from framework.profiling.setting import VIDEO, compose, looked_at, pipeline

BARE, WHOLE = "bare", "straightforward"
ARMS = ("pipeline", BARE, WHOLE, "unshared")
MODELS = {"midsize": "float32", "7b": "bfloat16"}  # and the format of their weights
FRAMES_PER_TICK, AROUND = 2, 64  # text tokens around a question's words, about
Took = Mapping[str, Sequence[Spent]]


@dataclass(frozen=True)
class EngineBench(Bench):
    """Measures the pipeline against the bare passes, the straightforward way, and itself without sharing.

    The fields are the keys of conf/what/engine.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    model: str
    sizes: Sizes
    questions: tuple[int, ...]
    arms: tuple[str, ...]
    groups: int
    ticks: int
    grid: tuple[int, int]
    words: int
    budget: int
    preset: str
    rounds: int
    device: str
    seed: int

    def __post_init__(self) -> None:
        checks.among(options("preset"), preset=self.preset)
        checks.among(MODELS, model=self.model)
        checks.among(ARMS, arms=self.arms)
        if BARE not in self.arms:
            raise ValueError(
                f"what.arms: got {list(self.arms)}, expected {BARE} among them: the others are compared to it"
            )
        checks.ascending(1, questions=self.questions)
        checks.at_least(1, groups=self.groups, ticks=self.ticks, words=self.words, budget=self.budget)
        checks.at_least(1, rounds=self.rounds, grid=min(self.grid))
        if self.model == "7b" and checks.device(self.device) != "cuda":
            raise ValueError(
                f"what.model: got 7b on what.device={self.device}, expected midsize: 7b needs a CUDA device"
            )
        checks.device(self.device)

    @property
    def shape(self) -> Sizes:
        """Returns the sizes of the model that is meant."""
        return SEVEN_B if self.model == "7b" else self.sizes

    @property
    def tokens(self) -> int:
        """Returns how many visual tokens a group has."""
        return self.ticks * self.grid[0] * self.grid[1]

    @torch.inference_mode()
    def rows(self) -> Iterator[Row]:
        """Yields a row per number of questions and arm.

        A row holds seconds and the processor's seconds (medians over the rounds), and how many times those of the bare
        passes they are. `further` says what each question after the first adds, as a share of what one question costs
        the same arm; it is empty where there is one question. Raises UsageError where the memory or the disk is too
        small, before anything is allocated, and where the preset does not look at all groups.
        """
        maps = self.ticks if WHOLE in self.arms else 0
        rows = self.tokens + self.words + AROUND
        check_room(self.model, self.shape, DTYPES[MODELS[self.model]].itemsize, checks.device(self.device), maps, rows)
        with self._pipeline() as (of, cfg):
            asked = questions(self.questions[-1], self.words, prompt_template(cfg))
            answered, groups = self._answered(of, asked), looked_at(of)
            layer = int(cfg.backbone.reference_layer)
            for count in self.questions:
                passes = {
                    many: Passes(cast(DecoderBackbone, of.backbone), groups, answered[:many], layer)
                    for many in sorted({1, count})
                }
                yield from self._of(of, passes, count)

    def _of(self, of: Pipeline, passes: Mapping[int, Passes], count: int) -> Iterator[Row]:
        """The rows of one number of questions. The same arms with one question run beside them."""
        runs: dict[str, Callable[[], object]] = {}
        for many, those in passes.items():
            posed = [question for question, _ in those.asked]
            arms: dict[str, Callable[[], object]] = {
                "pipeline": partial(of.answer, VIDEO, posed),
                BARE: those.bare,
                WHOLE: those.straightforward,
                "unshared": partial(replace(of, share=False).answer, VIDEO, posed),
            }
            runs |= {f"{many} {arm}": arms[arm] for arm in self.arms}
        took = side_by_side(runs, self.rounds)
        for arm in self.arms:
            own, bare, first = took[f"{count} {arm}"], took[f"{count} {BARE}"], took[f"1 {arm}"]
            yield {
                "model": self.model,
                "questions": count,
                "arm": arm,
                "s": round(median(run.seconds for run in own), 3),
                "cpu s": round(median(run.processor_seconds for run in own), 3),
                "s x": round(_ratio(own, bare, 0), 3),
                "cpu x": round(_ratio(own, bare, 1), 3),
                "further": "" if count == 1 else round(further(first, own, count, 0), 3),
                "further cpu": "" if count == 1 else round(further(first, own, count, 1), 3),
            }

    def _answered(self, of: Pipeline, asked: list[Question]) -> list[tuple[Question, Selection]]:
        """What the pipeline keeps for each question; this warms up, too."""
        if not of.needs.logits:
            raise UsageError(f"what.preset: got {self.preset}, expected a preset that probes groups for their response")
        found = []
        for outcome in of.answer(VIDEO, asked):
            if outcome.selection is None or outcome.trace.visited_share < 1:
                told = (
                    f"what.preset: got {self.preset}, expected a preset that looks at all groups and answers from what"
                )
                raise UsageError(f"{told} it keeps: the bare passes would be others")
            found.append((outcome.question, outcome.selection))
        return found

    @contextmanager
    def _pipeline(self) -> Iterator[tuple[Pipeline, DictConfig]]:
        """The pipeline on a model with random weights, which is on disk as long as the block lasts."""
        place, dtype = checks.device(self.device), MODELS[self.model]
        height, width = (CELL * side for side in self.grid)
        reader = NoiseReader(self.groups * self.ticks * FRAMES_PER_TICK, height, width)
        with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
            cfg = compose(
                self.preset,
                self.ticks,
                self.shape.layers,
                budget=self.budget,
                backbone__adapter__checkpoint=folder,
                backbone__adapter__dtype=dtype,
                backbone__adapter__device=place,
                backbone__adapter__min_pixels=height * width,
                backbone__adapter__max_pixels=height * width,
            )

            def backbone() -> Backbone:
                write(self.shape, Path(folder), place, dtype, self.seed)
                return build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]

            yield pipeline(cfg, reader, backbone), cfg


def further(first: Sequence[Spent], all_of_them: Sequence[Spent], count: int, field: int) -> float:
    """Computes what each of `count` - 1 further questions adds, as a share of what one takes: median over the rounds.

    `field` is 0 for seconds, 1 for those of the processor.
    """
    pairs = zip(first, all_of_them, strict=True)
    return median((many[field] - one[field]) / (count - 1) / one[field] for one, many in pairs)


def _ratio(own: Sequence[Spent], bare: Sequence[Spent], field: int) -> float:
    return median(one[field] / floor[field] for one, floor in zip(own, bare, strict=True))
