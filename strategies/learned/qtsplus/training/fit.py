"""A QTSplus selector from a language model's own layers to a file: one Lightning fit by steps.

An interrupted run leaves its last checkpoint, so the same command continues where it stopped and ends with the same
weights. It knows how a fit is set up; it knows nothing of configuration files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from torch.utils.data import DataLoader

from framework.backbones.base import DecoderBackbone
from framework.backbones.loading import preprocessor, quiet
from framework.training.batches import Steps
from framework.training.fit import Measured, Whole
from framework.training.lora import merge_lora
from framework.training.running import Running
from framework.training.schedule import Schedule
from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.learned.qtsplus.training.batches import Batch
from strategies.learned.qtsplus.training.initialisation import start_from
from strategies.learned.qtsplus.training.losses import CostSettings
from strategies.learned.qtsplus.training.module import SelectorModule, SelectorTraining

log = logging.getLogger(__name__)
Make = Callable[[np.random.Generator, int], Batch]
Measure = Callable[[SelectorModule], Mapping[str, float]]


@dataclass(frozen=True)
class NetworkSettings:
    """The selector's size beside the language model's, and its ratio's bounds."""

    scoring_layers: int
    reencode_layers: int
    time: bool
    rho_min: float
    rho_max: float
    scaled: bool  # features of the budget head of about equal size
    dropout: float
    chunk: int  # tokens scored at a time


@dataclass(frozen=True)
class StartSettings:
    """Where the weights come from."""

    selector: str | None  # a trained selector; None: from the language model's layers
    scoring_layer: int | None  # that the scoring blocks are copied from; None: they start at random
    quiet: bool  # re-encoding adds nothing at first


@dataclass(frozen=True)
class TrainerSettings:
    """How Lightning spreads the work; see its Trainer."""

    devices: int
    strategy: Literal["auto", "ddp"]  # no sharding: the checkpoint is written from one process's weights
    precision: str  # 32-true; bf16-mixed computes in bf16 and keeps fp32 weights
    accumulate: int  # batches per step

    def __post_init__(self) -> None:
        if self.devices < 1 or self.accumulate < 1:
            raise ValueError(
                "selector.trainer.devices and selector.trainer.accumulate must be at least 1, got "
                f"{self.devices} and {self.accumulate}"
            )


@dataclass(frozen=True)
class SelectorRecipe:
    """All that decides the result, but for the data."""

    network: NetworkSettings
    start: StartSettings
    training: SelectorTraining
    costs: CostSettings
    schedule: Schedule
    trainer: TrainerSettings
    seed: int


def build_selector(recipe: SelectorRecipe, backbone: DecoderBackbone) -> Selector:
    """The selector before training."""
    network, text = recipe.network, backbone.decoder.config
    if recipe.training.most is None and recipe.training.rho == "learned":
        log.warning("selector.n_max is not set: the cost of a ratio is counted as a share of the tokens there are")
    if recipe.start.selector is not None:
        selector, _ = checkpoint.load(recipe.start.selector, network.dropout, network.chunk)
        return selector.float()
    shape = Shape(
        width=text.hidden_size,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        scoring_layers=network.scoring_layers,
        reencode_layers=network.reencode_layers,
        time=network.time and network.reencode_layers > 0,
        official=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        selector = Selector(shape, network.rho_min, network.rho_max, network.scaled, network.dropout, network.chunk)
    start_from(selector, backbone.decoder.layers, recipe.start.scoring_layer, recipe.start.quiet)
    return selector


def train_selector(
    recipe: SelectorRecipe, backbone: DecoderBackbone, make: Make, measure: Measure | None, running: Running
) -> Path:
    """Fit, or go on fitting; the folder with selector.safetensors, and in stage 2 the language model beside it.

    `make(generator, step)` gives a step's whole batch, of which every process takes its share.
    """
    torch.set_num_threads(running.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    module = SelectorModule(
        build_selector(recipe, backbone), backbone, recipe.training, recipe.costs, recipe.schedule, recipe.seed
    )
    callbacks: list[Callback] = [
        ModelCheckpoint(running.folder, "last", every_n_train_steps=running.save_every, enable_version_counter=False)
    ]
    if measure is not None:
        callbacks.append(Measured(measure, running, recipe.schedule.steps))
    if running.progress:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    trainer = lightning.Trainer(
        max_steps=recipe.schedule.steps,
        accelerator=running.accelerator,
        devices=recipe.trainer.devices,
        strategy=recipe.trainer.strategy,
        precision=recipe.trainer.precision,
        accumulate_grad_batches=recipe.trainer.accumulate,
        gradient_clip_val=recipe.schedule.clip,
        callbacks=callbacks,
        logger=running.logger(running.folder),
        log_every_n_steps=10,
        enable_progress_bar=running.progress,
        enable_model_summary=False,
        default_root_dir=running.folder,
        plugins=[Whole()],
    )
    last = running.folder / "last.ckpt"
    feed = _Feed(make, recipe.schedule.steps * recipe.trainer.accumulate, recipe, running.workers)
    trainer.fit(module, feed, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    if trainer.is_global_zero:
        _save(module, backbone, recipe, running.folder / "checkpoint")
    trainer.strategy.barrier()
    return running.folder / "checkpoint"


def _save(module: SelectorModule, backbone: DecoderBackbone, recipe: SelectorRecipe, folder: Path) -> None:
    """The selector, and the language model where it was trained."""
    training = recipe.training
    checkpoint.save(
        module.selector,
        folder,
        rho=training.rho,
        n_max=training.most,
        positions=training.positions,
        notes={"stage": training.stage, "gate": training.gate, "gate_on": training.gate_on, "seed": recipe.seed},
    )
    if training.stage == 2:
        merge_lora(backbone.decoder)
        backbone.model.set_attn_implementation({"vision_config": "sdpa"})  # any of stock transformers; not ours
        with quiet():
            backbone.model.save_pretrained(folder)
        backbone.tokenizer.save_pretrained(folder)
        if pixels := preprocessor(backbone.model.name_or_path):
            (folder / "preprocessor_config.json").write_text(json.dumps(pixels, indent=2) + "\n")


class _Feed(lightning.LightningDataModule):
    """Each process's share of every batch, from the step on that the trainer resumes from."""

    def __init__(self, make: Make, last: int, recipe: SelectorRecipe, workers: int) -> None:
        super().__init__()
        self.make, self.last, self.recipe, self.workers = make, last, recipe, workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches in order, one reading process at most."""
        assert self.trainer is not None
        rank, world = self.trainer.global_rank, self.trainer.world_size

        def share(generator: np.random.Generator, step: int) -> Batch:
            batch = self.make(generator, step)
            if len(batch) % world:
                raise ValueError(f"a batch of {len(batch)} samples cannot be shared by {world} processes")
            return batch if world == 1 else batch[range(rank, len(batch), world)]

        steps = Steps(share, self.last, (self.recipe.seed, SEED))
        steps.first = self.trainer.global_step * self.recipe.trainer.accumulate
        # another process cannot use the GPU, on which the prompt is embedded
        workers = self.workers if self.trainer.strategy.root_device.type == "cpu" else 0
        return DataLoader(steps, batch_size=None, num_workers=workers, collate_fn=_as_is)


SEED = 77  # of selector batches, apart from the lab's phases


def _as_is(batch: Any) -> Any:
    return batch
