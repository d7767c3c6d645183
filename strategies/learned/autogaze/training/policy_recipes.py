"""`sieve train gaze=ntp` and `gaze=grpo`: a resolved configuration to a trained gaze, calibrated and saved.

It knows the layout of conf/gaze/; the modules it calls get plain values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from framework.core.errors import UsageError
from framework.training.fit import fit
from framework.training.running import Running
from strategies.learned.autogaze.gaze import checkpoint
from strategies.learned.autogaze.gaze.calibration import LossSpace
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.calibrate import CalibrationSettings, calibrate
from strategies.learned.autogaze.training.clips import Clips
from strategies.learned.autogaze.training.grpo import GrpoModule, GrpoSettings
from strategies.learned.autogaze.training.initialisation import initialise
from strategies.learned.autogaze.training.label_files import Label, read_labels, targets
from strategies.learned.autogaze.training.metrics import before, held_out_losses
from strategies.learned.autogaze.training.ntp import LabelledClips, NtpModule, NtpSettings, pair
from strategies.learned.autogaze.training.pick_counts import usual_losses
from strategies.learned.autogaze.training.recipes import clip_sources, fit_of, load_reconstructor, part, told

log = logging.getLogger(__name__)
USUAL_CLIPS = 64  # from which the range of thresholds is taken
TOGETHER = 32  # clips that the reconstructor judges at once


@dataclass(frozen=True)
class MeasureSettings:
    """What is measured on held-out clips on the way."""

    budgets: tuple[int, ...]  # picks of a frame
    batch: int  # clips at a time

    def __post_init__(self) -> None:
        if not self.budgets or min(self.budgets) < 1 or self.batch < 1:
            raise ValueError(
                "gaze.measure needs one or more budgets, each at least 1, and a batch of at least 1; got "
                f"{self.budgets} and {self.batch}"
            )


def ntp(cfg: DictConfig, running: Running) -> Path:
    """Stage 1; the folder of the checkpoint."""
    settings, config, judge = (
        part(cfg, "training", NtpSettings),
        part(cfg, "network", GazeConfig),
        load_reconstructor(cfg),
    )
    measuring, calibration = part(cfg, "measure", MeasureSettings), part(cfg, "calibration", CalibrationSettings)
    how, gaze = fit_of(cfg), initialise(config, cfg.seed).train()
    _fitting(gaze, judge, {"calibration.most": calibration.most, "measure.budgets": max(measuring.budgets)})
    given = [cfg.gaze.labels] if isinstance(cfg.gaze.labels, str) else list(cfg.gaze.labels)
    labels = read_labels(given, config.vocabulary.size, cfg.gaze.frames)
    train, other = clip_sources(cfg, running, config.side, cfg.gaze.frames)
    torch.set_num_threads(running.threads)
    pairs = _with_before(pair(train, labels), judge)
    seen = _pixels(other, config.side)
    module = NtpModule(gaze, settings, how.schedule)
    make = LabelledClips(pairs, config.vocabulary, settings, cfg.seed)
    fit(module, make, _measure(judge, seen, measuring, settings.loss_space), how, running)
    notes = {"stage": "ntp", "labelled clips": len(pairs), "batch": settings.batch}
    return _saved(cfg, module.gaze, judge, seen, calibration, settings.loss_space, notes, running)


def grpo(cfg: DictConfig, running: Running) -> Path:
    """Stage 2, from a trained gaze or from nothing; the folder of the checkpoint."""
    settings, judge = part(cfg, "training", GrpoSettings), load_reconstructor(cfg)
    measuring, calibration = part(cfg, "measure", MeasureSettings), part(cfg, "calibration", CalibrationSettings)
    how, gaze = fit_of(cfg), _start(cfg, settings.loss_space)
    side, frames = gaze.config.side, cfg.gaze.frames
    most = {"calibration.most": calibration.most, "measure.budgets": max(measuring.budgets)}
    _fitting(gaze, judge, most | {"training.most": settings.most})
    if settings.frames > frames:
        raise UsageError(f"gaze.training.frames: got {settings.frames} of clips of {frames} frames (gaze.frames)")
    train, other = clip_sources(cfg, running, side, frames)
    torch.set_num_threads(running.threads)
    usual = _pixels(train, side, range(min(USUAL_CLIPS, train.count))).split(TOGETHER)
    between = usual_losses(judge, usual, settings.most, settings.quantiles, cfg.seed)
    log.info("thresholds are drawn between the losses %.3f and %.3f", *between)
    seen = _pixels(other, side)

    def make(generator: np.random.Generator, step: int) -> Tensor:
        return torch.stack([train.clip(int(i)) for i in generator.integers(train.count, size=settings.prompts)])

    module = GrpoModule(gaze, judge, settings, how.schedule, between, cfg.seed)
    fit(module, make, _measure(judge, seen, measuring, settings.loss_space), how, running)
    notes = {"stage": "grpo", "start": cfg.gaze.start, "prompts": settings.prompts, "rollouts": settings.rollouts}
    notes["thresholds between"] = between
    return _saved(cfg, module.gaze, judge, seen, calibration, settings.loss_space, notes, running)


def _start(cfg: DictConfig, space: LossSpace) -> Gaze:
    """The gaze to go on from, or a new one."""
    if cfg.gaze.start is None:
        return initialise(part(cfg, "network", GazeConfig), cfg.seed).train()
    try:
        gaze, about = checkpoint.load(cfg.gaze.start)
    except ValueError as error:
        raise UsageError(f"gaze.start: {error}; gaze.start=null starts from nothing") from error
    learned = about.notes.get("loss_space", "plain" if about.rope_mode == "official" else space)
    if learned != space:
        raise UsageError(f"gaze.training.loss_space: got {space}, but {cfg.gaze.start} was taught {learned}")
    return gaze.train()


def _fitting(gaze: Gaze, judge: Reconstructor, most: Mapping[str, int]) -> None:
    """UsageError where gaze and reconstructor do not speak of the same patches, or a key asks for more than there are.

    `most`: a key below gaze, and the picks of a frame that it asks for.
    """
    if gaze.vocabulary != judge.vocabulary:
        raise UsageError(
            f"gaze.network.scales: the gaze has scales {gaze.vocabulary.scales} of patches of {gaze.vocabulary.patch}, "
            f"the reconstructor (gaze.reconstructor) {judge.vocabulary.scales} of {judge.vocabulary.patch}"
        )
    for key, picks in most.items():
        if picks > gaze.vocabulary.size:
            raise UsageError(f"gaze.{key}: got {picks} picks of a frame, which has {gaze.vocabulary.size} patches")


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


def _measure(
    judge: Reconstructor, pixels: Tensor, settings: MeasureSettings, space: LossSpace
) -> Callable[[Any], Mapping[str, float]]:
    def measure(module: Any) -> Mapping[str, float]:
        return held_out_losses(
            module.gaze, judge.to(module.device), pixels.to(module.device), settings.budgets, space, settings.batch
        )

    return measure


def _saved(
    cfg: DictConfig,
    gaze: Gaze,
    judge: Reconstructor,
    pixels: Tensor,
    settings: CalibrationSettings,
    space: LossSpace,
    notes: dict[str, Any],
    running: Running,
) -> Path:
    """Calibrated on held-out clips and written."""
    table = calibrate(gaze.cpu().eval(), judge.cpu(), pixels[: settings.clips], settings, space)
    folder = running.folder / "checkpoint"
    notes |= {"seed": cfg.seed, "steps": cfg.gaze.schedule.steps, "loss_space": space, "recipe": told(cfg)}
    checkpoint.save(gaze, folder, notes | {"reconstructor": str(cfg.gaze.reconstructor)}, table.stored())
    return folder
