"""`sieve train recipe=autogaze_ntp` and `recipe=autogaze_grpo`: a trained gaze, calibrated and saved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.training.fit import Fit, fit
from framework.training.recipe import TrainingRecipe, Workshop
from framework.training.schedule import Schedule
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import LossSpace
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.calibrate import CalibrationSettings, calibrate
from strategies.learned.autogaze.training.clips import Clips, ClipSettings
from strategies.learned.autogaze.training.grpo import GrpoModule, GrpoSettings
from strategies.learned.autogaze.training.initialisation import initialise
from strategies.learned.autogaze.training.label_files import Label, read_labels, targets
from strategies.learned.autogaze.training.metrics import before, held_out_losses
from strategies.learned.autogaze.training.ntp import LabelledClips, NtpModule, NtpSettings, pair
from strategies.learned.autogaze.training.pick_counts import usual_losses
from strategies.learned.autogaze.training.recipes import SEED, clip_sources, load_reconstructor

log = logging.getLogger(__name__)
USUAL_CLIPS = 64  # from which the range of thresholds is taken
TOGETHER = 32  # clips that the reconstructor judges at once


@dataclass(frozen=True)
class MeasureSettings:
    """Says what is measured on held-out clips on the way."""

    budgets: tuple[int, ...]  # picks of a frame
    batch: int  # clips at a time

    def __post_init__(self) -> None:
        if not self.budgets or min(self.budgets) < 1 or self.batch < 1:
            raise ValueError(
                "recipe.measure needs one or more budgets, each at least 1, and a batch of at least 1; got "
                f"{self.budgets} and {self.batch}"
            )


@dataclass(frozen=True)
class _PolicyRecipe(TrainingRecipe):
    """What both stages of a gaze share."""

    name: str
    network: GazeConfig
    reconstructor: str | None
    frames: int  # of a clip
    clips: ClipSettings
    measure: MeasureSettings
    calibration: CalibrationSettings
    schedule: Schedule
    precision: str

    def _how(self, workshop: Workshop) -> Fit:
        return Fit(self.schedule, (workshop.seed, SEED), self.precision)

    def _most(self) -> dict[str, int]:
        """Key -> picks of a frame that it asks for."""
        return {"calibration.most": self.calibration.most, "measure.budgets": max(self.measure.budgets)}

    def _measure(self, judge: Reconstructor, pixels: Tensor, space: LossSpace) -> Callable[[Any], Mapping[str, float]]:
        budgets, batch = self.measure.budgets, self.measure.batch

        def measure(module: Any) -> Mapping[str, float]:
            return held_out_losses(
                module.gaze, judge.to(module.device), pixels.to(module.device), budgets, space, batch
            )

        return measure

    def _saved(
        self, gaze: Gaze, judge: Reconstructor, pixels: Tensor, space: LossSpace, notes: dict[str, Any], at: Workshop
    ) -> Path:
        """Calibrated on held-out clips and written."""
        table = calibrate(gaze.cpu().eval(), judge.cpu(), pixels[: self.calibration.clips], self.calibration, space)
        folder = at.running.folder / "checkpoint"
        notes |= {"seed": at.seed, "steps": self.schedule.steps, "loss_space": space, "recipe": at.settings}
        checkpoint.save(gaze, folder, notes | {"reconstructor": str(self.reconstructor)}, table.stored())
        return folder


@dataclass(frozen=True)
class NtpRecipe(_PolicyRecipe):
    """Trains stage 1: the gaze learns the picks of a greedy search, and the loss that each pick leaves."""

    labels: str | tuple[str, ...]  # files, or patterns with *
    training: NtpSettings

    def train(self, workshop: Workshop) -> Path:
        """Trains a new gaze. Returns the folder of the checkpoint."""
        settings, config, judge = self.training, self.network, load_reconstructor(self.reconstructor, self.frames)
        gaze = initialise(config, workshop.seed).train()
        _check_fits(gaze, judge, self._most())
        given = [self.labels] if isinstance(self.labels, str) else list(self.labels)
        labels = read_labels(given, config.vocabulary.size, self.frames)
        train, other = clip_sources(self.clips, workshop, config.side, self.frames)
        torch.set_num_threads(workshop.running.threads)
        pairs = _with_before(pair(train, labels), judge)
        seen = _pixels(other, config.side)
        module = NtpModule(gaze, settings, self.schedule)
        make = LabelledClips(pairs, config.vocabulary, settings, workshop.seed)
        measure = self._measure(judge, seen, settings.loss_space)
        fit(module, make, measure, self._how(workshop), workshop.running)
        notes = {"stage": "ntp", "labelled clips": len(pairs), "batch": settings.batch}
        return self._saved(module.gaze, judge, seen, settings.loss_space, notes, workshop)


@dataclass(frozen=True)
class GrpoRecipe(_PolicyRecipe):
    """Trains stage 2: the gaze's own picks are rewarded by what the frozen reconstructor sees of a clip with them."""

    start: str | None  # the gaze to go on from; None: from nothing, of the size of `network`
    training: GrpoSettings

    def __post_init__(self) -> None:
        if self.training.frames > self.frames:
            raise ValueError(
                f"training.frames: got {self.training.frames} of clips of {self.frames} frames (recipe.frames)"
            )

    def train(self, workshop: Workshop) -> Path:
        """Trains a gaze further, or a new one. Returns the folder of the checkpoint."""
        settings, judge = self.training, load_reconstructor(self.reconstructor, self.frames)
        gaze = _start(self.start, self.network, workshop.seed, settings.loss_space)
        side = gaze.config.side
        _check_fits(gaze, judge, self._most() | {"training.most": settings.most})
        train, other = clip_sources(self.clips, workshop, side, self.frames)
        torch.set_num_threads(workshop.running.threads)
        usual = _pixels(train, side, range(min(USUAL_CLIPS, train.count))).split(TOGETHER)
        between = usual_losses(judge, usual, settings.most, settings.quantiles, workshop.seed)
        log.info("thresholds are drawn between the losses %.3f and %.3f", *between)
        seen = _pixels(other, side)

        def make(generator: np.random.Generator, step: int) -> Tensor:
            return torch.stack([train.clip(int(i)) for i in generator.integers(train.count, size=settings.prompts)])

        module = GrpoModule(gaze, judge, settings, self.schedule, between, workshop.seed)
        measure = self._measure(judge, seen, settings.loss_space)
        fit(module, make, measure, self._how(workshop), workshop.running)
        notes: dict[str, Any] = {"stage": "grpo", "start": self.start}
        notes |= {"prompts": settings.prompts, "rollouts": settings.rollouts, "thresholds between": between}
        return self._saved(module.gaze, judge, seen, settings.loss_space, notes, workshop)


def _start(start: str | None, config: GazeConfig, seed: int, space: LossSpace) -> Gaze:
    """The gaze to go on from, or a new one."""
    if start is None:
        return initialise(config, seed).train()
    try:
        gaze, about = checkpoint.load(start)
    except ValueError as error:
        raise UsageError(f"recipe.start: {error}; recipe.start=null starts from nothing") from error
    learned = about.notes.get("loss_space", "plain" if about.rope_mode == "official" else space)
    if learned != space:
        raise UsageError(f"recipe.training.loss_space: got {space}, but {start} was taught {learned}")
    return gaze.train()


def _check_fits(gaze: Gaze, judge: Reconstructor, most: Mapping[str, int]) -> None:
    """UsageError where gaze and reconstructor do not speak of the same patches, or a key asks for more than there are.

    `most`: a key below recipe, and the picks of a frame that it asks for.
    """
    if gaze.vocabulary != judge.vocabulary:
        raise UsageError(
            f"recipe.network.scales: the gaze has scales {gaze.vocabulary.scales} of patches of "
            f"{gaze.vocabulary.patch}, the reconstructor (recipe.reconstructor) {judge.vocabulary.scales} of "
            f"{judge.vocabulary.patch}"
        )
    for key, picks in most.items():
        if picks > gaze.vocabulary.size:
            raise UsageError(f"recipe.{key}: got {picks} picks of a frame, which has {gaze.vocabulary.size} patches")


def _pixels(clips: Clips, side: int, places: range | None = None) -> Tensor:
    """Normalised clips f32 [N, T, 3, S, S]; all, if no places are given."""
    chosen = range(clips.count) if places is None else places
    return prepare(torch.stack([clips.clip(index) for index in chosen]), side)


def _with_before(pairs: list[tuple[Tensor, Label]], judge: Reconstructor) -> list[tuple[Tensor, Label]]:
    """Labels that lack their losses before any pick get them from the reconstructor."""
    lacking = [place for place, (_, label) in enumerate(pairs) if label.before is None]
    made = list(pairs)
    for first in range(0, len(lacking), TOGETHER):
        places = lacking[first : first + TOGETHER]
        pixels = prepare(torch.stack([pairs[place][0] for place in places]), judge.config.side)
        known = targets([pairs[place][1] for place in places], judge.vocabulary.eos)
        losses = before(judge, pixels, Picks(known.ids, known.valid))
        for place, row in zip(places, losses.tolist(), strict=True):
            made[place] = (pairs[place][0], replace(pairs[place][1], before=tuple(row)))
    return made
