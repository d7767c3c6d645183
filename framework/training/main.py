"""Entry of `sieve train`: a resolved configuration to a finished training. Knows conf/train.yaml and no recipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from omegaconf import DictConfig, OmegaConf

from framework.config.build import build
from framework.core.errors import UsageError
from framework.training.folder_guard import claim_folder
from framework.training.recipe import TrainingRecipe, Workshop
from framework.training.running import Running

# What decides the result: a training goes on in a folder only with the same.
DECISIVE = ("recipe", "seed", "backbone.adapter", "backbone.sampling", "backbone.prompt")


def main(cfg: DictConfig) -> Path:
    """Trains what `cfg.recipe` describes. Returns the folder of what it made."""
    start, running = time.monotonic(), running_of(cfg)
    recipe = build(cfg.recipe, TrainingRecipe, "recipe")  # type: ignore[type-abstract]
    parts = {key: OmegaConf.select(cfg, key) for key in DECISIVE}
    plain: dict[str, Any] = {
        key: OmegaConf.to_container(part, resolve=True) if isinstance(part, DictConfig) else part
        for key, part in parts.items()
    }
    claim_folder(running.folder, plain)
    checkpoint = recipe.train(Workshop(cfg, running))
    print(f"{checkpoint}  ({(time.monotonic() - start) / 60:.1f} min)")
    return checkpoint


def running_of(cfg: DictConfig) -> Running:
    """Returns where and how this training runs. Raises UsageError for a logger that there is not."""
    plain: Any = OmegaConf.to_container(cfg.running, resolve=True, throw_on_missing=True)
    logger = plain.pop("logger", None)
    if logger not in LOGGERS:
        raise UsageError(f"running.logger: got {logger!r}, expected one of {', '.join(LOGGERS)}")
    cache = Path(plain.pop("cache"))
    return Running(folder=Path(cfg.folder), cache=cache, logger=LOGGERS[logger], **plain)


def _csv(folder: Path) -> Logger:
    """curves/version_N/metrics.csv; a resumed run starts the next N, so that no curve is lost."""
    return CSVLogger(folder, name="curves", flush_logs_every_n_steps=50)


def _wandb(folder: Path) -> Logger:
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(name="/".join(folder.parts[-2:]), save_dir=folder, project="tokensieve")


LOGGERS = {"csv": _csv, "wandb": _wandb}
