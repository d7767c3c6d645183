"""Mirrors of a run: nothing, a table on disk, Weights & Biases.

Disk comes first: a tracker gets only what is already written, and may fail at any moment without taking the run along.
wandb is imported only when it is chosen. Knows no strategy and no benchmark.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.errors import UsageError

Line = Mapping[str, Any]  # of questions.jsonl
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class About:
    """What a tracker is told of a run when it begins."""

    id: str  # of the configuration
    folder: Path
    config: Mapping[str, Any]  # resolved and plain
    preset: str = ""
    ablation: str = ""
    benchmark: str = ""
    overrides: tuple[str, ...] = field(default=())  # as typed


class Tracker(ABC):
    """Mirrors a run elsewhere. Disk comes first: a tracker gets only what is already written."""

    @abstractmethod
    def start(self, about: About) -> None:
        """A run begins, or goes on."""

    @abstractmethod
    def log(self, values: Mapping[str, float]) -> None:
        """Running figures."""

    @abstractmethod
    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """The run is over: its summary and every line of questions.jsonl."""


class NoTracker(Tracker):
    """Results on disk, nothing else."""

    def start(self, about: About) -> None:
        """Nothing."""

    def log(self, values: Mapping[str, float]) -> None:
        """Nothing."""

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Nothing."""


class WandbTracker(Tracker):
    """Weights & Biases. Without a key, without a network or after any failure: offline, or a warning and silence."""

    def __init__(self, project: str, entity: str | None, mode: str, tags: list[str], seconds_to_connect: float) -> None:
        if mode not in ("online", "offline"):
            raise UsageError(f"tracker.mode must be online or offline, got {mode!r}")
        self.project, self.entity, self.mode, self.tags = project, entity, mode, tags
        self.seconds_to_connect = seconds_to_connect
        self._run: Any = None

    def start(self, about: About) -> None:
        """Begin online, else offline in the run folder, else not at all."""
        import wandb

        folder, name = about.folder, about.id
        if self.mode == "online" and not wandb.api.api_key:
            _log.warning("W&B has no key here (wandb login, or WANDB_API_KEY): this run is kept offline in %s", folder)
            self.mode = "offline"
        attempts = [(self.mode, name), ("offline", f"{name}-offline")]  # a failed attempt may still hold its id
        for mode, run_id in attempts:
            try:
                self._run = wandb.init(
                    project=self.project,
                    entity=self.entity,
                    mode=mode,  # type: ignore[arg-type]
                    name=name,
                    id=run_id,
                    resume="allow" if mode == "online" else None,
                    dir=str(folder),
                    tags=self.tags,
                    job_type=about.preset or None,
                    config=dict(about.config),
                    settings=wandb.Settings(init_timeout=self.seconds_to_connect, silent=True),
                )
                return
            except Exception as error:  # anything: W&B must never stop a run
                _log.warning("W&B %s did not start (%s): results are in %s", mode, error, folder)

    def log(self, values: Mapping[str, float]) -> None:
        """Running figures; the first failure ends the mirroring."""
        if self._run is None:
            return
        try:
            self._run.log(dict(values))
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B stopped listening (%s): the run goes on, results are on disk", error)
            self._run = None

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Hand over the summary and close."""
        if self._run is None:
            return
        try:
            self._run.summary.update(dict(summary))
            self._run.finish()
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B did not take the summary (%s): it is on disk", error)
        self._run = None
