"""Stage 0: the reconstructor learns to rebuild frames from patches picked at random.

Two frames of a clip are rebuilt at a step, in small groups of clips that share their ratio of picks and those frames.
Source: AutoGaze (arXiv 2603.12254), whose recipe of this stage is not published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor

from framework.training.fit import Fit, fit
from framework.training.running import Running
from framework.training.schedule import Schedule, optimizer
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor import checkpoint
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.teachers import Teacher, TeacherSettings
from strategies.learned.autogaze.training.augmentation import COUNTS, Symmetry, move
from strategies.learned.autogaze.training.clips import Clips
from strategies.learned.autogaze.training.random_masks import MaskSettings, even_picks, random_picks

RATIOS = (0.05, 0.1, 0.2)  # of picks, at which it is measured
MEASURE_SEED = 99


class Batch(NamedTuple):
    """Holds one step: pixels u8 [B, T, S, S, 3], picks bool [B, T, V], frames to rebuild i64 [groups, F]."""

    pixels: Tensor
    picked: Tensor
    frames: Tensor


@dataclass(frozen=True)
class DrawSettings:
    """Says what a step consists of."""

    clips: int
    groups: int  # that the clips are read in; each has its own ratio of picks
    rebuilt: int  # frames of each
    symmetry: Symmetry  # clips turned and mirrored: none, mirror or square (all eight ways)

    def __post_init__(self) -> None:
        if self.groups < 1 or self.clips % self.groups or self.clips < 1:
            raise ValueError(f"recipe.draw.groups must divide recipe.draw.clips, got {self.groups} and {self.clips}")
        if self.rebuilt < 1:
            raise ValueError(f"recipe.draw.rebuilt must be at least 1, got {self.rebuilt}")
        if self.symmetry not in COUNTS:
            raise ValueError(f"recipe.draw.symmetry must be one of {', '.join(COUNTS)}, got {self.symmetry!r}")


class ReconstructorModule(lightning.LightningModule):
    """Rebuilds the frames of a batch; the loss is the network's own."""

    def __init__(self, network: Reconstructor, schedule: Schedule) -> None:
        super().__init__()
        self.network, self.schedule = network, schedule

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Returns the mean loss over groups, clips and frames."""
        groups = len(batch.frames)
        losses = []
        for pixels, picked, frames in zip(
            batch.pixels.chunk(groups), batch.picked.chunk(groups), batch.frames, strict=True
        ):
            target = prepare(pixels[:, : int(frames.max()) + 1], self.network.config.side)
            images = self.network(target, picked[:, : target.shape[1]], frames)
            losses.append(self.network.loss(target, images, frames).mean())
        loss = torch.stack(losses).mean()
        self.log("loss", loss, batch_size=len(batch.pixels))
        return loss

    def configure_optimizers(self) -> dict[str, Any]:
        """Returns AdamW, with its schedule, over the network."""
        return optimizer(self.network, self.schedule)


def draw_batch(
    generator: np.random.Generator, clips: Clips, config: ReconstructorConfig, draw: DrawSettings, masks: MaskSettings
) -> Batch:
    """Draws a batch: clips of the source, picks, and the frames to rebuild.

    Each clip is cut to as many consecutive frames as the reconstructor takes, and turned or mirrored as `draw.symmetry`
    allows.
    """
    pixels = torch.empty(draw.clips, config.frames, clips.size, clips.size, 3, dtype=torch.uint8)
    for row in range(draw.clips):
        clip = clips.clip(int(generator.integers(clips.count)))
        first = int(generator.integers(clips.frames - config.frames + 1))
        window = clip[first : first + config.frames]
        way = int(generator.integers(COUNTS[draw.symmetry]))
        pixels[row] = move(window.movedim(-1, -3), way).movedim(-3, -1)
    size = draw.clips // draw.groups
    picked = [random_picks(generator, size, config.frames, config.vocabulary, masks) for _ in range(draw.groups)]
    frames = [np.sort(generator.permutation(config.frames)[: draw.rebuilt]) for _ in range(draw.groups)]
    return Batch(pixels, torch.cat(picked), torch.from_numpy(np.stack(frames)))


def measurement(
    held_out: Clips, config: ReconstructorConfig, batches: int
) -> Callable[[ReconstructorModule], dict[str, float]]:
    """Returns a function that measures the mean loss on held-out clips, over all frames.

    It measures at several ratios of picks (`RATIOS`), which are drawn evenly.
    """

    def measure(module: ReconstructorModule) -> dict[str, float]:
        generator = np.random.default_rng(MEASURE_SEED)
        found: dict[str, list[float]] = {f"loss at {ratio:.0%}": [] for ratio in RATIOS}
        size = -(-held_out.count // max(batches, 1))
        for first in range(0, held_out.count, size):
            chosen = range(first, min(first + size, held_out.count))
            pixels = torch.stack([held_out.clip(index)[: config.frames] for index in chosen])
            target = prepare(pixels.to(module.device), config.side)
            for ratio, name in zip(RATIOS, found, strict=True):
                picked = even_picks(generator, len(chosen), config.frames, config.vocabulary, ratio)
                with torch.no_grad():
                    images = module.network(target, picked.to(module.device))
                    found[name] += module.network.loss(target, images).mean(1).tolist()
        return {name: float(np.mean(losses)) for name, losses in found.items()}

    return measure


@dataclass(frozen=True)
class ReconstructorTraining:
    """Holds all that decides the result, except the clips."""

    network: ReconstructorConfig
    draw: DrawSettings
    masks: MaskSettings
    teachers: tuple[TeacherSettings, ...]
    fit: Fit


def train_reconstructor(
    recipe: ReconstructorTraining, train: Clips, held_out: Clips, running: Running, told: Mapping[str, Any]
) -> Path:
    """Fits a reconstructor, or goes on fitting it. Returns the folder with reconstructor.safetensors.

    The notes of that file also hold what is `told`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.fit.seeds[0])
        network = Reconstructor(recipe.network)
    network.teachers = [Teacher(settings) for settings in recipe.teachers]
    module = ReconstructorModule(network, recipe.fit.schedule)

    def make(generator: np.random.Generator, step: int) -> Batch:
        return draw_batch(generator, train, recipe.network, recipe.draw, recipe.masks)

    measure = measurement(held_out, recipe.network, running.measure_batches)
    fit(module, make, measure, recipe.fit, running)
    folder = running.folder / "checkpoint"
    notes = {"seed": recipe.fit.seeds[0], "steps": recipe.fit.schedule.steps, "clips": recipe.draw.clips}
    checkpoint.save(network, folder, {**notes, **told, "held out": measure(module)})
    return folder
