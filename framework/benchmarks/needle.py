"""The lab's benchmark: long made videos, each with several questions that only their own needles decide.

Videos are rendered to real mp4 files on first use and found again by content. It knows the lab's generator; it knows no
model and no strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.core.prompts import PromptTemplate
from framework.lab.needles import needle_scene
from framework.lab.questions import LabQuestion
from framework.lab.scene import Scene
from framework.lab.video import cached_file, cached_video
from framework.lab.world import FRAMES_PER_SECOND, GRID


class Needle(Benchmark):
    """Makes `videos` videos of `frames` frames with `questions` questions each.

    The same arguments give the same files.
    """

    def __init__(
        self,
        name: str,
        split: str,
        videos: int,
        frames: int,
        questions: int,
        options: int,
        span_frames: int,
        opacity: float,
        noise: float,
        density: float,
        seed: int,
        folder: str,
        prompt: PromptTemplate,
    ) -> None:
        if videos < 1:
            raise ValueError(f"videos must be at least 1, got {videos}")
        for key, value, highest in (("opacity", opacity, 1.0), ("noise", noise, 0.5), ("density", density, 2.0)):
            if not 0 <= value <= highest:
                raise ValueError(f"{key} must lie within 0..{highest}, got {value}")
        if not 2 <= options <= 8:
            raise ValueError(f"options must lie within 2..8, got {options}")
        self.name, self.videos, self.folder, self.prompt, self.seed = name, videos, Path(folder), prompt, seed
        self.scene = {
            "split": split,
            "frames": frames,
            "questions": questions,
            "options": options,
            "span": span_frames,
            "opacity": opacity,
            "noise": noise,
            "density": density,
        }
        self._draw(0)  # an impossible combination fails here, before a model is loaded

    def _draw(self, number: int) -> tuple[Scene, list[LabQuestion]]:
        return _drawn(self.seed, number, tuple(self.scene.items()))

    def __len__(self) -> int:
        return self.videos

    def __getitem__(self, index: int) -> VideoItem:
        return self._video(index, cached_video if self.recorded is None else cached_file)

    def outline(self, index: int) -> VideoItem:
        """Returns a video that may not be rendered yet."""
        return self._video(index, cached_file)

    def _video(self, index: int, file: Callable[[Scene, Path], Path]) -> VideoItem:
        if not 0 <= index < self.videos:
            raise IndexError(index)
        scene, questions = self._draw(index)
        name = f"{self.scene['split']}-{self.scene['frames']}-{self.seed}-{index:04d}"
        items = tuple(self._item(f"{name}-{i}", question) for i, question in enumerate(questions))
        return VideoItem(name, str(file(scene, self.folder)), items)

    def _item(self, identity: str, question: LabQuestion) -> Item:
        """A question in the words of the backbone's template, with the seconds in which its needles are seen."""
        assert question.right is not None  # every question of a needle scene is decided by the whole video
        spans = tuple(
            (e.start / FRAMES_PER_SECOND, (e.start + e.length) / FRAMES_PER_SECOND) for e in question.evidence
        )
        wide = {} if question.query.grid == GRID else {"grid": question.query.grid}
        asked = self.prompt.question(identity, question.bare, question.options)
        return Item(
            question=asked,
            right=asked.letters[question.right],
            strata={"split": (question.query.split,), "asked": (question.query.keys[0].attribute,)},
            evidence=spans,
            facts={"cells": " ".join(str(e.cell) for e in question.evidence), **wide},
        )


@lru_cache(maxsize=256)
def _drawn(seed: int, number: int, scene: tuple[tuple[str, Any], ...]) -> tuple[Scene, list[LabQuestion]]:
    """The video of this number; it is asked for once per run and once per question about what is there."""
    return needle_scene(np.random.default_rng([seed, number]), **dict(scene))
