"""`sieve train selector=...`: a resolved configuration to a trained selector.

It knows the layout of conf/selector/; the modules it calls get plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from lightning.fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from omegaconf import DictConfig, OmegaConf

from framework.backbones.base import DecoderBackbone
from framework.config.build import build, build_plain, prompt_template
from framework.core.errors import UsageError
from framework.core.interfaces import Backbone
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures, NeedleSettings
from framework.training.running import Running
from framework.training.schedule import Schedule
from framework.training.video_features import VideoFeatures
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from strategies.learned.qtsplus.training.evaluation import by_selector, by_split, table
from strategies.learned.qtsplus.training.fit import (
    Make,
    Measure,
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


def train(cfg: DictConfig, running: Running) -> Path:
    """Train what `cfg.selector` describes on top of `cfg.backbone`; the folder of the checkpoint."""
    recipe, draw = read_recipe(cfg.selector, cfg.seed)
    _alone(recipe.trainer)
    prompt, own = prompt_template(cfg), cfg.selector.file is not None
    if not own and cfg.selector.needles is None:
        raise UsageError("selector.file: got nothing to learn from, expected a file, or selector.needles")
    file = TrainingFile(cfg.selector.file, cfg.selector.videos, prompt)
    asked = file.asked() if own else []
    # one of its own, since stage 2 changes it
    backbone = build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
    if not isinstance(backbone, DecoderBackbone):
        raise UsageError(f"backbone: {type(backbone).__name__} has no decoder that a selector could learn from")
    if own:
        sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
        reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
        features = VideoFeatures(backbone, reader, sampling, running.cache)
        return train_selector(
            recipe, backbone, FileSource(file, asked, features, backbone, draw, recipe.seed), None, running
        )
    make, measure = needle_source(cfg.selector.needles, draw, backbone, prompt, running, recipe.training.positions)
    return train_selector(recipe, backbone, make, measure, running)


def _alone(trainer: TrainerSettings) -> None:
    """UsageError where Lightning would start the other processes itself, which repeats a command line that is gone."""
    started = TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    if trainer.devices > 1 and not started:
        raise UsageError(
            f"selector.trainer.devices={trainer.devices}: start as many processes, "
            f"torchrun --nproc-per-node {trainer.devices} --no-python sieve train ..."
        )


def read_recipe(node: DictConfig, seed: int) -> tuple[SelectorRecipe, DrawSettings]:
    """conf/selector/*.yaml to a recipe; every mistake names its key."""

    def part(name: str, cls: type) -> Any:
        return build_plain(node[name], cls, f"selector.{name}")

    training = part("training", SelectorTraining)
    drawn = dict(OmegaConf.to_container(node.draw, resolve=True))  # type: ignore[arg-type]
    low, high = drawn.pop("rho")
    if not 0 < low <= high <= 1:
        raise UsageError(f"selector.draw.rho: 0 < low <= high <= 1 is needed, got {low} and {high}")
    draw = DrawSettings(**drawn, rho=(low, high) if training.rho == "drawn" else None)
    recipe = SelectorRecipe(
        network=part("network", NetworkSettings),
        start=part("start", StartSettings),
        training=training,
        costs=part("costs", CostSettings),
        schedule=part("schedule", Schedule),
        trainer=part("trainer", TrainerSettings),
        seed=seed,
    )
    return recipe, draw


def needle_source(
    node: Mapping[str, Any],
    draw: DrawSettings,
    backbone: DecoderBackbone,
    prompt: PromptTemplate,
    running: Running,
    positions: str,
) -> tuple[Make, Measure]:
    """Batches of needle videos, and the accuracy at a tenth of the tokens on others."""
    features = {}
    for use in ("train", "measure"):
        settings = build_plain(node[use], NeedleSettings, f"selector.needles.{use}")
        features[use] = NeedleFeatures(settings, backbone.model, running.cache)

    def make(generator: np.random.Generator, step: int) -> Any:
        return draw_batch(generator, features["train"], backbone, prompt, draw)

    def measure(module: SelectorModule) -> dict[str, float]:
        held_out = features["measure"]
        rows = table(backbone, prompt, held_out, by_selector(module), [held_out.tokens // 10], positions)
        return by_split(rows)

    return make, measure
