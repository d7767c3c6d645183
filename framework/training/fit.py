"""One Lightning fit by steps that goes on where it stopped, with measurements on the way.

A step's batch is a pure function of (seeds, step), checkpoints appear whole, so a run that was killed ends with the
weights of one that was not, as long as the module draws its random numbers from the step too. It knows nothing of what
is trained.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from framework.training.lab import Running
from framework.training.lab_data import Steps
from framework.training.schedule import Schedule

log = logging.getLogger(__name__)
Make = Callable[[np.random.Generator, int], Any]
LAST = "last"  # checkpoint to go on from: last.ckpt


def fit(
    module: lightning.LightningModule,
    make: Make,
    schedule: Schedule,
    seeds: Sequence[int],
    running: Running,
    measure: Callable[[Any], Mapping[str, float]] | None = None,
    precision: str = "32-true",
) -> None:
    """Train `module`, in place, in one process, up to the schedule's last step; `make(generator, step)` gives batches.

    `measure(module)` is called in evaluation mode at the interval set in `running`, and its numbers are appended to
    measured.jsonl.
    """
    torch.set_num_threads(running.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    callbacks: list[Callback] = [
        ModelCheckpoint(running.folder, LAST, every_n_train_steps=running.save_every, enable_version_counter=False)
    ]
    if measure is not None:
        callbacks.append(Measured(measure, running, schedule.steps))
    if running.progress:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    trainer = lightning.Trainer(
        max_steps=schedule.steps,
        accelerator=running.accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        gradient_clip_val=schedule.clip,
        callbacks=callbacks,
        logger=running.logger(running.folder),
        log_every_n_steps=10,
        enable_progress_bar=running.progress,
        enable_model_summary=False,
        default_root_dir=running.folder,
        plugins=[Whole()],
    )
    last = running.folder / f"{LAST}.ckpt"
    feed = _Feed(Steps(make, schedule.steps, tuple(seeds)), running.workers)
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

    def __init__(self, measure: Callable[[Any], Mapping[str, float]], running: Running, steps: int) -> None:
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
        """Batches in order, one reading process at most."""
        assert self.trainer is not None
        self.steps.first = self.trainer.global_step
        return DataLoader(self.steps, batch_size=None, num_workers=self.workers, collate_fn=as_is)


def as_is(batch: Any) -> Any:
    """A batch that is one already."""
    return batch
