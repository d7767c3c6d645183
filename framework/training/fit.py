"""One Lightning fit by steps that goes on where it was stopped: what every training here shares.

Batches are a pure function of (seeds, step), checkpoints appear only when they are complete, and measurements are
appended to measured.jsonl. It knows no network and no configuration file.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader

from framework.core.errors import UsageError
from framework.core.interrupt import heed
from framework.training.batches import Steps
from framework.training.running import Running
from framework.training.schedule import Schedule

log = logging.getLogger(__name__)
Make = Callable[[np.random.Generator, int], Any]  # given a step's generator and its number, a batch
Measure = Callable[[Any], Mapping[str, Any]]  # given the module, in evaluation mode
Share = Callable[[Any, int, int], Any]  # given a batch, a process's number and how many there are, its part


@dataclass(frozen=True)
class Fit:
    """Says how one network is trained, data aside. `precision` to `accumulate` are Lightning's; see its Trainer."""

    schedule: Schedule
    seeds: tuple[int, ...]
    precision: str = "32-true"
    devices: int = 1
    strategy: str = "auto"
    accumulate: int = 1  # batches per step
    apart: bool = True  # whether a process of its own may draw batches; not where they are made on the accelerator


def fit(
    module: lightning.LightningModule,
    make: Make,
    measure: Measure | None,
    how: Fit,
    running: Running,
    share: Share | None = None,
) -> lightning.Trainer:
    """Trains `module` on `make(generator, step)`, or goes on training it, until the schedule ends. Returns the trainer.

    Of several processes each reads the part of a batch that `share` gives it; without `share` there is one process.
    """
    if how.devices > 1 and share is None:
        raise ValueError(f"{how.devices} devices need a function that shares a batch between processes")
    torch.set_num_threads(running.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    callbacks: list[Callback] = [
        ModelCheckpoint(running.folder, "last", every_n_train_steps=running.save_every, enable_version_counter=False),
        Heeding(),
    ]
    if measure is not None:
        callbacks.append(Measured(measure, running, how.schedule.steps))
    if running.progress:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    trainer = lightning.Trainer(
        max_steps=how.schedule.steps,
        accelerator=running.accelerator,
        devices=how.devices,
        strategy=how.strategy,
        precision=how.precision,
        accumulate_grad_batches=how.accumulate,
        gradient_clip_val=how.schedule.clip,
        callbacks=callbacks,
        logger=running.logger(running.folder),
        log_every_n_steps=10,
        enable_progress_bar=running.progress,
        enable_model_summary=False,
        default_root_dir=running.folder,
        plugins=[WholeCheckpoints()],
    )
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it holds recipe.yaml
    last = running.folder / "last.ckpt"
    feed = _Feed(make, how, running, share)
    trainer.fit(module, feed, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    trainer.save_checkpoint(last)  # the same command again finds it finished, whatever `save_every` is
    return trainer


class WholeCheckpoints(TorchCheckpointIO):
    """Lets checkpoints appear under their names only when they are complete: a kill leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes beside the place, then moves."""
        unfinished = f"{path}.part"
        super().save_checkpoint(checkpoint, unfinished, storage_options)
        Path(unfinished).replace(path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = lambda storage, place: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Reads tensors, numbers, texts and collections of them. What else a file asks for is not run.

        Raises UsageError that names the file where it is damaged, or asks for more.
        """
        try:
            found = torch.load(path, map_location=map_location, weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError, LookupError, ValueError) as error:
            if asked := re.search(r"GLOBAL (\S+)", str(error)):
                raise UsageError(
                    f"{path} asks for {asked[1]}, which no checkpoint of a training needs: remove the file, and the "
                    "training begins anew (a recipe that keeps it on purpose: torch.serialization.add_safe_globals)"
                ) from error
            raise UsageError(f"{path} is damaged or no checkpoint: remove it, and the training begins anew") from error
        if not isinstance(found, dict) or "state_dict" not in found:
            raise UsageError(f"{path} holds no state of a training: remove it, and the training begins anew")
        return found


class Heeding(Callback):
    """Ends the training before the next batch where the user has asked to stop."""

    def on_train_batch_start(self, trainer: lightning.Trainer, module: Any, batch: Any, index: int) -> None:
        """Raises KeyboardInterrupt where that is so."""
        heed()


class Measured(Callback):
    """Appends a measurement on what is never trained on to measured.jsonl, every so often and at the end."""

    def __init__(self, measure: Measure, running: Running, steps: int) -> None:
        self.measure, self.running, self.steps = measure, running, steps

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Measures after whole steps only."""
        step = trainer.global_step
        done = (index + 1) % trainer.accumulate_grad_batches == 0
        if not trainer.is_global_zero or not done or (step % self.running.measure_every and step != self.steps):
            return
        module.eval()
        row = {"step": step, **_rounded(self.measure(module))}
        module.train()
        log.info("%s: %s", self.running.folder.name, row)
        with open(self.running.folder / "measured.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")


def _rounded(value: Any) -> Any:
    """Floats with four digits, inside mappings too."""
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value


class _Feed(lightning.LightningDataModule):
    """Reads on from the step that the trainer resumes from: it has restored its step by the time it asks for data."""

    def __init__(self, make: Make, how: Fit, running: Running, share: Share | None) -> None:
        super().__init__()
        self.make, self.how, self.running, self.share = make, how, running, share

    def train_dataloader(self) -> DataLoader[Any]:
        """Gives batches in order, one reading process at most."""
        assert self.trainer is not None
        rank, world = self.trainer.global_rank, self.trainer.world_size

        def mine(generator: np.random.Generator, step: int) -> Any:
            batch = self.make(generator, step)
            return batch if self.share is None or world == 1 else self.share(batch, rank, world)

        steps = Steps(mine, self.how.schedule.steps * self.how.accumulate, self.how.seeds)
        steps.first = self.trainer.global_step * self.how.accumulate
        alone = self.how.apart or self.trainer.strategy.root_device.type == "cpu"
        workers = self.running.workers if alone else 0
        return DataLoader(steps, batch_size=None, num_workers=workers, collate_fn=_as_is)


def _as_is(batch: Any) -> Any:
    return batch
