"""`sieve train recipe=qtsplus`: a selector on top of a backbone, from needle videos or from questions of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from framework.backbones.base import DecoderBackbone
from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.core.errors import UsageError
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures, NeedleSettings
from framework.training.fit import Make, Measure
from framework.training.recipe import TrainingRecipe, Workshop
from framework.training.running import Running
from framework.training.schedule import Schedule
from framework.training.video_features import VideoFeatures
from strategies.learned.qtsplus.training.evaluation import by_selector, by_split, table
from strategies.learned.qtsplus.training.fit import (
    NetworkSettings,
    SelectorRecipe,
    StartSettings,
    TrainerSettings,
    train_selector,
)
from strategies.learned.qtsplus.training.from_file import FileSource, TrainingFile
from strategies.learned.qtsplus.training.from_needles import DrawSettings, draw_batch
from strategies.learned.qtsplus.training.losses import CostSettings
from strategies.learned.qtsplus.training.module import SelectorModule, SelectorTraining


@dataclass(frozen=True)
class QTSplusRecipe(TrainingRecipe):
    """Trains a selector on top of a backbone; in stage 2 its language model too."""

    name: str
    network: NetworkSettings
    start: StartSettings
    training: SelectorTraining
    costs: CostSettings
    schedule: Schedule
    draw: DrawSettings
    trainer: TrainerSettings
    file: str | None  # questions of one's own, in place of needles
    videos: str | None  # where their videos lie
    needles: Mapping[str, NeedleSettings] | None  # made videos to train on (train) and to measure on (measure)

    def __post_init__(self) -> None:
        if self.file is None and self.needles is None:
            raise ValueError("file: got nothing to learn from, expected a file, or recipe.needles")
        if self.needles is not None and set(self.needles) != {"train", "measure"}:
            raise ValueError(f"needles: got {', '.join(sorted(self.needles))}, expected train and measure")

    def train(self, workshop: Workshop) -> Path:
        """Trains on top of the configured backbone. Returns the folder of the checkpoint."""
        _alone(self.trainer)
        if not issubclass(workshop.adapter, Qwen25VL):
            raise UsageError(
                f"backbone: recipe=qtsplus copies weights and masks of Qwen2.5-VL's layers, got the adapter "
                f"{workshop.adapter.__name__}; take backbone=lab, qwen2_5_vl_7b or another one of that family"
            )
        recipe, draw, prompt = self.selector(workshop.seed), self.drawn, workshop.prompt()
        file = None if self.file is None else TrainingFile(self.file, self.videos, prompt)
        asked = [] if file is None else file.asked()
        backbone = workshop.backbone()  # one of its own, since stage 2 changes it
        assert isinstance(backbone, DecoderBackbone)
        if file is not None:
            features = VideoFeatures(backbone, workshop.reader(), workshop.sampling(), workshop.running.cache)
            source = FileSource(file, asked, features, backbone, draw, recipe.seed)
            return train_selector(recipe, backbone, source, None, workshop.running)
        assert self.needles is not None
        make, measure = needle_source(self.needles, draw, backbone, prompt, workshop.running, self.training.positions)
        return train_selector(recipe, backbone, make, measure, workshop.running)

    def selector(self, seed: int) -> SelectorRecipe:
        """Returns all that decides the result, but for the data."""
        return SelectorRecipe(self.network, self.start, self.training, self.costs, self.schedule, self.trainer, seed)

    @property
    def drawn(self) -> DrawSettings:
        """Returns how batches are drawn: with a ratio for each sample only where training draws it."""
        return self.draw if self.training.rho == "drawn" else replace(self.draw, rho=None)


def _alone(trainer: TrainerSettings) -> None:
    """UsageError where Lightning would start the other processes itself, which repeats a command line that is gone."""
    started = TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    if trainer.devices > 1 and not started:
        raise UsageError(
            f"recipe.trainer.devices={trainer.devices}: start as many processes, "
            f"torchrun --nproc-per-node {trainer.devices} --no-python sieve train ..."
        )


def needle_source(
    needles: Mapping[str, NeedleSettings],
    draw: DrawSettings,
    backbone: DecoderBackbone,
    prompt: PromptTemplate,
    running: Running,
    positions: str,
) -> tuple[Make, Measure]:
    """Returns what makes batches of needle videos, and what measures accuracy at a tenth of the tokens on others."""
    features = {use: NeedleFeatures(settings, backbone.model, running.cache) for use, settings in needles.items()}

    def make(generator: np.random.Generator, step: int) -> Any:
        return draw_batch(generator, features["train"], backbone, prompt, draw)

    def measure(module: SelectorModule) -> dict[str, float]:
        held_out = features["measure"]
        rows = table(backbone, prompt, held_out, by_selector(module), [held_out.tokens // 10], positions)
        return by_split(rows)

    return make, measure
