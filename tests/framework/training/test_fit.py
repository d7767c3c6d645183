"""One fit by steps: ends at its last step, measures when asked, and goes on from a checkpoint to the same weights."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.interrupt import listening
from framework.training.fit import Fit, WholeCheckpoints, fit
from framework.training.running import Running
from framework.training.schedule import Schedule, optimizer


class Line(lightning.LightningModule):
    """y = a x + b, with noise on the way that a resumed run must not see twice."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line, self.schedule = torch.nn.Linear(1, 1), schedule
        self.seen: list[float] = []

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.seen.append(float(batch[0]))
        return (self.line(batch) - 3 * batch).square().mean()

    def configure_optimizers(self) -> Any:
        return optimizer(self.line, self.schedule)


def running(folder: Path) -> Running:
    return Running(folder, 1, 0, "cpu", False, 2, 2, 1, lambda place: CSVLogger(place, name="curves"), folder / "cache")


def make(generator: np.random.Generator, step: int) -> Tensor:
    return torch.from_numpy(generator.normal(size=(4, 1)).astype(np.float32)) + step


def run(folder: Path, steps: int, until: int | None = None) -> Line:
    """A fit of `steps`, cut off in the step after `until`."""
    schedule = Schedule(steps, 1e-2, 1, 1.0, 0.0, 1.0)
    module = Line(schedule)

    def cut_off(generator: np.random.Generator, step: int) -> Tensor:
        if step == until:
            raise KeyboardInterrupt
        return make(generator, step)

    fit(module, cut_off, lambda made: {"slope": float(made.line.weight)}, Fit(schedule, (5,)), running(folder))
    return module


def test_steps_and_measurements(tmp_path: Path) -> None:
    module = run(tmp_path, 5)
    wanted = [float(make(np.random.default_rng([5, step]), step)[0]) for step in range(5)]
    assert module.seen == wanted
    rows = [json.loads(row) for row in (tmp_path / "measured.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert rows[-1]["slope"] == pytest.approx(float(module.line.weight), abs=1e-4)
    assert module.line.training


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 7)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(tmp_path / "parts", 7, until=5)
    resumed = run(tmp_path / "parts", 7)
    assert resumed.seen == whole.seen[4:]  # the last checkpoint is that of step 4
    assert torch.equal(resumed.line.weight, whole.line.weight) and torch.equal(resumed.line.bias, whole.line.bias)


class Fragile:
    """Meets Ctrl-C while it is destroyed, where Python drops every exception."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_swallowed_interruption_ends_it_before_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, step = [], Line.training_step

    def interrupted(self: Line, batch: Tensor, index: int) -> Tensor:
        steps.append(index)
        if index == 3:
            Fragile()
        return step(self, batch, index)

    monkeypatch.setattr(Line, "training_step", interrupted)
    with listening(), pytest.raises((KeyboardInterrupt, SystemExit)):
        run(tmp_path, 7)
    assert steps == [0, 1, 2, 3]


def test_a_torn_checkpoint_never_bears_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"step": 1}, place)

    def torn(*_: Any, **__: Any) -> None:
        Path(f"{place}.part").write_bytes(b"half")
        raise OSError("full")

    monkeypatch.setattr("lightning.pytorch.plugins.io.TorchCheckpointIO.save_checkpoint", torn)
    with pytest.raises(OSError, match="full"):
        WholeCheckpoints().save_checkpoint({"step": 2}, place)
    assert torch.load(place) == {"step": 1}


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_planted_checkpoint_is_not_run(tmp_path: Path, zipped: bool) -> None:
    place, made = tmp_path / "last.ckpt", tmp_path / "made"
    torch.save({"state_dict": Planted(made)}, place, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match=r"last\.ckpt asks for posix\.mkdir, which no checkpoint .* needs"):
        run(tmp_path, 7)
    assert not made.exists()
    torch.load(place, weights_only=False)  # it would have been
    assert made.exists()


@pytest.mark.parametrize("content", [b"", b"words", "half", "list"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes | str) -> None:
    place = tmp_path / "last.ckpt"
    if isinstance(content, bytes):
        place.write_bytes(content)
    else:
        torch.save([1] if content == "list" else {"state_dict": {"a": torch.zeros(999)}}, place)
    if content == "half":
        place.write_bytes(place.read_bytes()[:2000])
    with pytest.raises(UsageError, match=r"last\.ckpt (is damaged or no checkpoint|holds no state).*: remove it"):
        run(tmp_path, 7)


def test_it_is_a_plain_loop(tmp_path: Path) -> None:
    """The same weights, bit for bit, as AdamW by the schedule in six lines of torch."""
    schedule = Schedule(6, 1e-2, 2, 0.1, 0.01, 0.5)
    module = Line(schedule)
    fit(module, make, None, Fit(schedule, (5, 1)), running(tmp_path))
    plain = Line(schedule)
    made = plain.configure_optimizers()
    adam, rates = made["optimizer"], made["lr_scheduler"]["scheduler"]
    for step in range(6):
        loss = plain.training_step(make(np.random.default_rng([5, 1, step]), step), step)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        adam.step()
        rates.step()
    assert torch.equal(module.line.weight, plain.line.weight) and torch.equal(module.line.bias, plain.line.bias)


def test_measurements_may_be_nested(tmp_path: Path) -> None:
    schedule = Schedule(2, 1e-2, 1, 1.0, 0.0, 1.0)
    measure = lambda made: {"all": {"slope": 1.23456789, "n": 3}}  # noqa: E731
    fit(Line(schedule), make, measure, Fit(schedule, (5,)), running(tmp_path))
    assert json.loads((tmp_path / "measured.jsonl").read_text()) == {"step": 2, "all": {"slope": 1.2346, "n": 3}}


def test_several_processes_need_a_way_to_share(tmp_path: Path) -> None:
    schedule = Schedule(2, 1e-2, 1, 1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="2 devices need a function that shares a batch"):
        fit(Line(schedule), make, None, Fit(schedule, (5,), devices=2), running(tmp_path))
