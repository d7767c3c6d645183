"""Entry of `sieve train`: a resolved configuration to a finished training.

It knows the layout of conf/train.yaml and conf/model/; the modules it calls get plain values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from omegaconf import DictConfig, OmegaConf

from framework.lab.features import NeedleSettings
from framework.lab.training.batches import LanguageSettings
from framework.lab.training.clips import ClipSettings
from framework.lab.training.language import LossSettings
from framework.lab.training.questions import QuestionSettings
from framework.lab.training.recipe import Phase, Recipe, train
from framework.lab.training.token_subsets import SubsetSettings
from framework.training.folder_guard import belongs
from framework.training.running import Running
from framework.training.schedule import Schedule

RECIPE = ("model", "selector", "gaze", "backbone", "qtsplus", "seed", "stage", "frames", "answer_positions")


def main(cfg: DictConfig) -> Path:
    """Train what the configuration names; the folder of the checkpoint."""
    if not (cfg.get("model") or cfg.get("selector") or cfg.get("gaze")):
        raise ValueError("nothing to train: give model=lab, model=lab_hard or selector=qtsplus, or a stage as gaze=")
    start, running = time.monotonic(), _running(cfg)
    told: Any = OmegaConf.to_container(cfg, resolve=True)
    belongs(running.folder, {key: told[key] for key in RECIPE if key in told})
    if cfg.get("selector"):
        from strategies.learned.qtsplus.training.recipe import train as train_selector

        checkpoint = train_selector(cfg, running)
    elif cfg.get("gaze"):
        from strategies.learned.autogaze.training.recipes import train as train_gaze

        checkpoint = train_gaze(cfg, running)
    else:
        model: Any = OmegaConf.to_container(cfg.model, resolve=True, throw_on_missing=True)
        checkpoint = train(recipe(model, cfg.seed), running)
    print(f"{checkpoint}  ({(time.monotonic() - start) / 60:.1f} min)")
    return checkpoint


def _running(cfg: DictConfig) -> Running:
    plain: Any = OmegaConf.to_container(cfg.running, resolve=True, throw_on_missing=True)
    tracker = plain.pop("logger", None)
    if tracker not in LOGGERS:
        raise ValueError(f"running.logger is {tracker!r}; use one of {', '.join(LOGGERS)}")
    cache = Path(plain.pop("cache"))
    return Running(folder=Path(cfg.folder), cache=cache, logger=LOGGERS[tracker], **plain)


def _csv(folder: Path) -> Logger:
    """curves/version_N/metrics.csv; a resumed run starts the next N, so that no curve is lost."""
    return CSVLogger(folder, name="curves", flush_logs_every_n_steps=50)


def _wandb(folder: Path) -> Logger:
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(name="/".join(folder.parts[-2:]), save_dir=folder, project="tokensieve")


LOGGERS = {"csv": _csv, "wandb": _wandb}


def recipe(model: Mapping[str, Any], seed: int) -> Recipe:
    """conf/model/*.yaml to a recipe."""
    phases = tuple(_phase(name, node) for name, node in model["phases"].items())
    return Recipe(phases, seed, model.get("start"), model.get("rope_theta"))


def _phase(name: str, node: Mapping[str, Any]) -> Phase:
    try:
        schedule = Schedule(**node["schedule"])
        if "needles" in node:
            return Phase(
                name,
                schedule,
                questions=QuestionSettings(**node["questions"]),
                losses=LossSettings(**node["losses"]),
                needles={use: NeedleSettings(**settings) for use, settings in node["needles"].items()},
                subsets=SubsetSettings(**node["subsets"]),
            )
        pairs: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in node["clips"].items()}
        clips = ClipSettings(**pairs)
        if "vision" in node:
            vision = (node["vision"]["clips"], node["vision"]["frames"])
            return Phase(name, schedule, clips, vision=vision)
        return Phase(
            name,
            schedule,
            clips,
            batches=LanguageSettings(**node["batches"]),
            questions=QuestionSettings(**node["questions"]),
            losses=LossSettings(**node["losses"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"phase {name!r} of the model configuration does not fit: {error}") from error
