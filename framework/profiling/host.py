"""Measures what the host does for every group and every question, with a backbone that has no network.

Milliseconds are those of the processor, in the main thread alone: what a device would have to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch

from framework.config.parts import prompt_template
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.engine.pipeline import Pipeline
from framework.profiling import checks
from framework.profiling.base import Bench, Row
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.null_backbone import SHIFT, STEP, VARIANTS, NullBackbone, Shapes
from framework.profiling.setting import VIDEO, compose, looked_at, pipeline
from framework.profiling.towerless import pixel_seconds, towerless
from framework.profiling.watch import IN_LOOK, Watch, watched

PER_GROUP = ("frames", "pixels", "encode", "probe", "score", "copy", "park")
PER_QUESTION = ("allocate", "candidates", "refine")
LAYERS, MEGA = 28, 1e6


@dataclass(frozen=True)
class HostBench(Bench):
    """Measures the main thread's work by place, per group and per question.

    The fields are the keys of conf/what/host.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    shapes: Shapes
    questions: tuple[int, ...]
    groups: int
    ticks: int
    budget: int
    alike: float
    preset: str
    rounds: int
    device: str

    def __post_init__(self) -> None:
        checks.among(options("preset"), preset=self.preset)
        checks.ascending(1, questions=self.questions)
        checks.at_least(1, groups=self.groups, ticks=self.ticks, budget=self.budget, rounds=self.rounds)
        checks.cosine(alike=self.alike)
        checks.device(self.device)

    @property
    def tokens(self) -> int:
        """Returns how many visual tokens a group has."""
        return self.ticks * self.shapes.rows * self.shapes.columns

    @torch.inference_mode()
    def rows(self) -> Iterator[Row]:
        """Yields, per number of questions, a row for every place, and one for all that is done per group.

        A row holds the milliseconds of the main thread's processor, per group or per question (medians over the
        rounds), and the megabytes that leave the place, where they are counted. Raises UsageError where the memory is
        too small, before anything is allocated.
        """
        self._check_room()
        place = checks.device(self.device)
        backbone = NullBackbone(self.shapes, self.tokens, self.groups, self.alike, place)
        size = backbone.frame_size(0, 0)
        reader = NoiseReader(self.groups * self.ticks * backbone.frames_per_tick, *size)
        cfg = compose(self.preset, self.ticks, LAYERS, budget=self.budget)
        of = pipeline(cfg, reader, lambda: backbone)
        backbone.prepare()
        _ = reader.pictures
        adapter, groups = towerless(self.preset, place, size[0] * size[1]), looked_at(of)
        for count in self.questions:
            asked = questions(count, 1, prompt_template(cfg))
            spent = []
            for _ in range(self.rounds + 1):
                watch, total = watched(of, VIDEO, asked)
                spent.append(by_place(watch, total) | {"pixels": pixel_seconds(adapter, groups)})
            yield from self._of(spent[1:], self._moved(of, watch), count)  # the first round warms up

    def _of(self, spent: list[dict[str, float]], moved: dict[str, float], count: int) -> Iterator[Row]:
        for place in (*PER_GROUP, "group", *PER_QUESTION, "other"):
            per = "question" if place in PER_QUESTION else "run" if place == "other" else "group"
            share = {"question": count, "run": 1, "group": self.groups}[per]
            parts = PER_GROUP if place == "group" else (place,)
            yield {
                "questions": count,
                "place": "all" if place == "group" else place,
                "per": per,
                "cpu ms": round(1000 * median(sum(one[part] for part in parts) for one in spent) / share, 2),
                "MB": round(moved[place] / share / MEGA, 3) if place in moved else "",
            }

    def _moved(self, of: Pipeline, watch: Watch) -> dict[str, float]:
        """Bytes that leave a place in one run, where they are known."""
        height, width = of.backbone.frame_size(0, 0)
        pixels = self.groups * self.ticks * of.backbone.frames_per_tick * 3 * height * width
        apart = checks.device(self.device) != "cpu"  # else they stay where they are
        return {
            "frames": pixels,
            "pixels": pixels * apart,
            "copy": 0,  # tokens leave the device when they are parked
            "park": watch.held,
            "candidates": sum(watch.candidates),
        }

    def _check_room(self) -> None:
        item, shapes, free = self.shapes.item_bytes, self.shapes, checks.free_bytes("cpu")
        strip = (self.tokens + (self.groups - 1) * STEP) * shapes.width * item
        attention = 4 * shapes.heads * shapes.text * (self.tokens + (VARIANTS - 1) * SHIFT)
        whole = strip + attention + self.groups * self.tokens * shapes.width * item
        if whole > free:
            raise UsageError(
                f"what.groups: got {self.groups}, which take up to {whole / 1e9:.2f} GB, but {free / 1e9:.2f} GB of "
                f"memory are free: expected about {int(self.groups * free / whole)}"
            )


def by_place(watch: Watch, total: float) -> dict[str, float]:
    """Computes seconds by place from what was seen; `other` is what no place accounts for, up to `total`."""
    found = {place: watch.stages[place] for place in ("encode", "probe", "score", "allocate")}
    found["frames"] = watch.stages["decode"]
    found["copy"] = watch.places["look"] - sum(watch.stages[stage] for stage in IN_LOOK)
    found["park"] = watch.places["park"]
    found["refine"] = watch.places["refiner"]
    found["candidates"] = watch.stages["refine"] - watch.places["refiner"]
    return {**found, "other": total - sum(found.values())}
