"""One Lightning fit by steps that goes on where it was stopped: what the trainings of small networks share.

Batches are a pure function of (seeds, step), checkpoints appear only when they are complete, and measurements are
appended to measured.jsonl. It knows no network and no configuration file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from framework.training.batches import Steps
from framework.training.running import Running
from framework.training.schedule import Schedule

log = logging.getLogger(__name__)
Measure = Callable[[Any], Mapping[str, float]]  # given the module


@dataclass(frozen=True)
class Fit:
    """How one network is trained, data aside."""

    schedule: Schedule
    seeds: tuple[int, ...]
    precision: str = "32-true"  # see Lightning's Trainer


def fit(
    module: lightning.LightningModule,
    make: Callable[[np.random.Generator, int], Any],
    measure: Measure | None,
    how: Fit,
    running: Running,
) -> None:
    """Train `module` on `make(generator, step)`, or go on training it, until the schedule ends."""
    torch.set_num_threads(running.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    callbacks: list[Callback] = [
        ModelCheckpoint(running.folder, "last", every_n_train_steps=running.save_every, enable_version_counter=False)
    ]
    if measure is not None:
        callbacks.append(Measured(measure, running, how.schedule.steps))
    if running.progress:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    trainer = lightning.Trainer(
        max_steps=how.schedule.steps,
        accelerator=running.accelerator,
        devices=1,
        precision=how.precision,
        gradient_clip_val=how.schedule.clip,
        callbacks=callbacks,
        logger=running.logger(running.folder),
        log_every_n_steps=10,
        enable_progress_bar=running.progress,
        enable_model_summary=False,
        default_root_dir=running.folder,
        plugins=[Whole()],
    )
    last = running.folder / "last.ckpt"
    feed = _Feed(Steps(make, how.schedule.steps, how.seeds), running.workers)
    trainer.fit(module, feed, ckpt_path=str(last) if last.exists() else None, weights_only=False)


class Whole(TorchCheckpointIO):
    """Checkpoints appear under their names only when they are complete, so that a kill leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write beside the place, then move."""
        unfinished = f"{path}.part"
        super().save_checkpoint(checkpoint, unfinished, storage_options)
        Path(unfinished).replace(path)


class Measured(Callback):
    """Every so often a measurement on what is never trained on, appended to measured.jsonl."""

    def __init__(self, measure: Measure, running: Running, steps: int) -> None:
        self.measure, self.running, self.steps = measure, running, steps

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Measure at the set interval and at the end, after whole steps only."""
        step = trainer.global_step
        done = (index + 1) % trainer.accumulate_grad_batches == 0
        if not trainer.is_global_zero or not done or (step % self.running.measure_every and step != self.steps):
            return
        module.eval()
        row = {"step": step, **{name: round(value, 4) for name, value in self.measure(module).items()}}
        module.train()
        log.info("%s", row)
        with open(self.running.folder / "measured.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")


class _Feed(lightning.LightningDataModule):
    """Reads on from the step that the trainer resumes from: it has restored its step by the time it asks for data."""

    def __init__(self, steps: Steps, workers: int) -> None:
        super().__init__()
        self.steps, self.workers = steps, workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches in order, one process at most."""
        assert self.trainer is not None
        self.steps.first = self.trainer.global_step
        return DataLoader(self.steps, batch_size=None, num_workers=self.workers, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    return batch
