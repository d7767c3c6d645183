"""Measures how seconds grow with frames, groups and questions, on the lab model: seconds ~ value ** exponent.

An exponent of 1 is a linear growth, 0 none. Along each axis the other two stay where they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from framework.config.compose import compose_root, words_of
from framework.config.parts import build_pipeline
from framework.config.plugins import options
from framework.core.types import Question
from framework.engine.pipeline import Pipeline
from framework.profiling import checks
from framework.profiling.base import Bench, Row, Spent, side_by_side
from framework.profiling.setting import LONGEST, SHORTEST, lab_film
from framework.video.timeline import timeline

AXES = ("frames", "groups", "questions")


@dataclass(frozen=True)
class _Point:
    """A run: a pipeline, a film, and what is asked about it."""

    pipeline: Pipeline
    path: str
    asked: list[Question]

    def sizes(self) -> Row:
        of = self.pipeline
        film = timeline(self.path, of.sampling, of.backbone.frames_per_tick, of.reader, of.backbone.tick_time)
        groups = len(self.pipeline.splitter.split(film))
        return {"frames": film.frames.numel(), "groups": groups, "questions": len(self.asked)}


@dataclass(frozen=True)
class ScalingBench(Bench):
    """Measures seconds along three axes, and fits an exponent to each.

    The fields are the keys of conf/what/scaling.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    preset: str
    frames: tuple[int, ...]
    groups: tuple[int, ...]
    questions: tuple[int, ...]
    at_frames: int
    at_questions: int
    rounds: int
    seed: int

    def __post_init__(self) -> None:
        checks.among(options("preset"), preset=self.preset)
        checks.at_least(1, at_questions=self.at_questions, rounds=self.rounds)
        for axis in AXES:
            values = getattr(self, axis)
            if values:
                checks.ascending(SHORTEST if axis == "frames" else 1, **{axis: values})
            if len(values) == 1:
                raise ValueError(f"what.{axis}: got {list(values)}, expected two numbers at least, or [] for none")
        if not any(getattr(self, axis) for axis in AXES):
            raise ValueError(
                "what.frames: got an empty list, as what.groups and what.questions are: expected one of them"
            )
        for key, value in (("frames", max(self.frames, default=SHORTEST)), ("at_frames", self.at_frames)):
            if not SHORTEST <= value <= LONGEST:
                raise ValueError(f"what.{key}: got {value}, expected {SHORTEST} to {LONGEST}: a film of the lab")
        if max(self.groups, default=0) > self.at_frames // 2:
            most = f"expected at most what.at_frames / 2 = {self.at_frames // 2}: a group has a tick of two frames"
            raise ValueError(f"what.groups: got {self.groups[-1]}, {most}")

    def rows(self) -> Iterator[Row]:
        """Yields, axis by axis, a row for every value.

        A row holds frames, groups and questions of the run, its seconds and the processor's (medians over the rounds),
        and the exponents of both along the axis. All runs of an axis take turns.
        """
        for axis in AXES:
            if getattr(self, axis):
                with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
                    yield from self._along(axis, folder)

    def _along(self, axis: str, folder: str) -> Iterator[Row]:
        points = {str(value): self._point(folder, **{axis: value}) for value in getattr(self, axis)}
        runs: dict[str, Callable[[], object]] = {
            name: partial(point.pipeline.answer, point.path, point.asked) for name, point in points.items()
        }
        took = side_by_side(runs, self.rounds)
        sizes = [point.sizes() for point in points.values()]
        values, spent = [size[axis] for size in sizes], list(took.values())
        for size, own in zip(sizes, spent, strict=True):
            yield {
                "axis": axis,
                **size,
                "s": round(median(run.seconds for run in own), 3),
                "cpu s": round(median(run.processor_seconds for run in own), 3),
                "exponent": round(fitted(values, spent, 0), 3),
                "cpu exponent": round(fitted(values, spent, 1), 3),
            }

    def _point(self, folder: str, frames: int = 0, groups: int = 0, questions: int = 0) -> _Point:
        """A run where what is not given is as it is at the other axes."""
        frames = frames or self.at_frames
        words = {"preset": self.preset, "seed": self.seed, "frames": frames}
        if groups:
            words |= {"splitter": "interleaved_ceil", "backbone.group_ticks": -(-frames // 2 // groups)}
        cfg = compose_root(words_of(words))
        path, asked = lab_film(cfg, folder, frames, questions or self.at_questions)
        return _Point(build_pipeline(cfg, path), path, asked)


def fitted(values: Sequence[float], spent: Sequence[Sequence[Spent]], field: int) -> float:
    """Fits the exponent of seconds over `values`: the median, over the rounds, of the slope between the logarithms.

    `field` is 0 for seconds, 1 for those of the processor.
    """
    rounds = zip(*spent, strict=True)
    return median(
        float(np.polyfit(np.log(values), np.log([run[field] for run in one_round]), 1)[0]) for one_round in rounds
    )
