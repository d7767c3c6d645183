"""Needle videos as the vision tower sees them, encoded once and kept on disk: an endless source of questions.

A video's questions can be drawn again from its number at any time, so only features are stored (fp16, memory-mapped).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.core.home import at_home
from framework.core.unfinished import unfinished
from framework.lab.needles import needle_scene
from framework.lab.queries import Truth, grid_of
from framework.lab.questions import Evidence, LabQuestion, pose
from framework.lab.render import render
from framework.lab.scene import EMPTY, Scene, crossing
from framework.lab.training.forward import encode
from framework.lab.video import through_codec
from framework.lab.world import CELLS, FRAMES_PER_TICK
from framework.training.running import features_name

log = logging.getLogger(__name__)
WRITER = 1  # raise it when what is stored changes
REPORT = 250  # videos between lines of the log


@dataclass(frozen=True)
class NeedleSettings:
    """Says which videos there are.

    `kinds` are dictionaries of split, opacity of the needles (0..1) and number of videos.
    """

    kinds: Sequence[Mapping[str, Any]]
    frames: int  # of a video; cells / FRAMES_PER_TICK visual tokens each: 2, or 24.5 of `wide`
    questions: int  # per video
    span: int  # frames that a needle lives
    noise: float  # a pixel's standard deviation, 0..1
    density: float  # share of places filled with distractors
    codec_share: float  # videos that went through H.264 and back
    seed: int


@dataclass(frozen=True)
class NeedleVideo:
    """Holds one video: features f16 [M, D], its questions, and which of the M tokens show anything (bool [M])."""

    features: np.ndarray
    questions: list[LabQuestion]
    busy: np.ndarray


class NeedleFeatures:
    """Holds the videos 0..len-1 with their features.

    Features are encoded on first use and found again in `folder`. Raises ValueError where there are no videos, or where
    wide videos are mixed with others.
    """

    def __init__(self, settings: NeedleSettings, model: Qwen2_5_VLForConditionalGeneration, folder: Path) -> None:
        self.settings = settings
        self.kinds = [kind for kind in settings.kinds for _ in range(kind["videos"])]
        if not self.kinds:
            raise ValueError("needles.kinds: got no videos")
        grids = {grid_of(kind["split"]) for kind in self.kinds}
        if len(grids) > 1:
            raise ValueError(
                "needles.kinds: wide videos are of another size than the others; give them a phase of their own"
            )
        (self.grid,) = grids
        self.ticks = settings.frames // FRAMES_PER_TICK
        self.tokens = self.ticks * self.grid**2
        self.known: dict[int, tuple[list[LabQuestion], np.ndarray]] = {}
        width = model.config.get_text_config().hidden_size
        self.shape = (len(self.kinds), self.tokens, width)
        name = features_name(repr((asdict(settings), WRITER)), model.model.visual.state_dict())
        self.file = at_home(folder, "running.cache") / f"{name}.f16"
        if not self.file.exists():
            self._write(model)
        self.features = np.memmap(self.file, np.float16, "r", shape=self.shape)

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, index: int) -> NeedleVideo:
        if index not in self.known:
            scene, questions = self.draw(index)
            there = (scene.contents()[..., 0] != EMPTY).any(1)  # [ticks, cells]
            self.known[index] = questions, there.reshape(-1)
        return NeedleVideo(self.features[index], *self.known[index])

    def draw(self, index: int) -> tuple[Scene, list[LabQuestion]]:
        """Draws the scene and the questions of a video."""
        kind, settings = self.kinds[index], self.settings
        return needle_scene(
            np.random.default_rng([settings.seed, index]),
            kind["split"],
            settings.frames,
            settings.questions,
            settings.span,
            kind["opacity"],
            settings.noise,
            settings.density,
        )

    def _write(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        """Encode every video; the file appears under its name only when it is complete."""
        with unfinished(self.file) as part:
            features = np.memmap(part, np.float16, "w+", shape=self.shape)
            for index in range(len(self)):
                features[index] = self._encode(model, index)
                if (index + 1) % REPORT == 0:
                    log.info("encoded %d of %d videos", index + 1, len(self))
            features.flush()

    @torch.no_grad()
    def _encode(self, model: Qwen2_5_VLForConditionalGeneration, index: int) -> np.ndarray:
        scene, _ = self.draw(index)
        pixels = render(scene, 0, scene.frames)
        if np.random.default_rng([self.settings.seed, index, 1]).random() < self.settings.codec_share:
            pixels = through_codec(pixels)
        device = next(model.parameters()).device
        tokens: np.ndarray = encode(model, torch.from_numpy(pixels)[None].to(device))[0].float().cpu().numpy()
        return tokens


def needle_tokens(needle: Evidence, cells: int = CELLS) -> np.ndarray:
    """Returns the numbers (tick * cells + cell) of the visual tokens that show a needle: i64 [k]."""
    ticks = np.arange(needle.start // FRAMES_PER_TICK, (needle.start + needle.length) // FRAMES_PER_TICK)
    return ticks * cells + needle.cell


def pose_again(generator: np.random.Generator, question: LabQuestion, kept: np.ndarray, options: int) -> LabQuestion:
    """Poses the same query about the kept tokens alone, with new options and an honest target.

    `kept` i64 [K] are the numbers of these tokens, sorted. Where the needle is not among them, no option is likelier
    than another. Half the evidence leaves half the pairs. A direction is decided by two ticks in which the needle
    stands at different places.
    """
    cells = question.query.grid**2
    shown = [bool(np.isin(needle_tokens(needle, cells), kept).any()) for needle in question.evidence]
    if question.query.split == "direction":
        (needle,) = question.evidence
        way = crossing(needle.length // FRAMES_PER_TICK)[np.isin(needle_tokens(needle), kept)]
        shown = [len(np.unique(way)) > 1]
    truth: Truth = question.truth
    if question.query.split == "order":
        truth = truth if all(shown) else (None,)
    elif question.query.split == "count":  # a viewer counts what is there to see
        truth = (sum(shown) - 1 if any(shown) else None,)
    else:
        truth = tuple(value if there else None for value, there in zip(truth, shown, strict=True))
    decoys = []
    if question.query.split == "conjunction":  # what the twins show, which stays tempting
        asked = question.query.keys[0].asked
        decoys = [v for v in (asked.index(word) for word in question.options) if v != question.truth[0]]
    return pose(generator, question.query, truth, options, decoys, question.evidence)
