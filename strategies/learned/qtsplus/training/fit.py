"""A QTSplus selector from a language model's own layers to a file, by one fit. Knows no configuration file."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from framework.backbones.base import DecoderBackbone
from framework.backbones.beside import preprocessor, quiet
from framework.training.complete import complete_folder
from framework.training.fit import Fit, Make, Measure, fit
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
SEED = 77  # of selector batches, apart from other trainings


@dataclass(frozen=True)
class NetworkSettings:
    """Holds the sizes of a selector that the language model leaves open, and the bounds of its ratio."""

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
    """Says where the selector's weights come from before training."""

    selector: str | None  # a trained selector; None: from the language model's layers
    scoring_layer: int | None  # that the scoring blocks are copied from; None: they start at random
    quiet: bool  # re-encoding adds nothing at first


@dataclass(frozen=True)
class TrainerSettings:
    """Says how Lightning spreads the work; see its Trainer."""

    devices: int
    strategy: Literal["auto", "ddp"]  # no sharding: the checkpoint is written from one process's weights
    precision: str  # 32-true; bf16-mixed computes in bf16 and keeps fp32 weights
    accumulate: int  # batches per step

    def __post_init__(self) -> None:
        if self.devices < 1 or self.accumulate < 1:
            raise ValueError(
                "recipe.trainer.devices and recipe.trainer.accumulate must be at least 1, got "
                f"{self.devices} and {self.accumulate}"
            )


@dataclass(frozen=True)
class SelectorRecipe:
    """Holds all that decides the result, except the data."""

    network: NetworkSettings
    start: StartSettings
    training: SelectorTraining
    costs: CostSettings
    schedule: Schedule
    trainer: TrainerSettings
    seed: int


def build_selector(recipe: SelectorRecipe, backbone: DecoderBackbone) -> Selector:
    """Builds the selector as it is before training.

    It is loaded from `recipe.start.selector`, or starts from the language model's layers where that is None.
    """
    network, text = recipe.network, backbone.decoder.config
    if recipe.training.most is None and recipe.training.rho == "learned":
        log.warning(
            "recipe.training.most is not set: the cost of a ratio is counted as a share of the tokens there are"
        )
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
    """Fits, or goes on fitting. Returns the folder with selector.safetensors, and in stage 2 the language model.

    `make(generator, step)` gives a step's whole batch, of which every process takes its share.
    """
    module = SelectorModule(
        build_selector(recipe, backbone), backbone, recipe.training, recipe.costs, recipe.schedule, recipe.seed
    )
    how = Fit(recipe.schedule, (recipe.seed, SEED), **asdict(recipe.trainer), apart=False)
    trainer = fit(module, make, measure, how, running, share)
    folder = running.folder / "checkpoint"
    if trainer.is_global_zero:
        with complete_folder(folder) as part:
            _save(module, backbone, recipe, part)
    trainer.strategy.barrier()
    return folder


def share(batch: Batch, rank: int, world: int) -> Batch:
    """Returns every `world`-th sample of a batch, from `rank` on. Raises ValueError where they do not divide evenly."""
    if len(batch) % world:
        raise ValueError(f"a batch of {len(batch)} samples cannot be shared by {world} processes")
    return batch[range(rank, len(batch), world)]


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
