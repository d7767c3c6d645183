"""What mirrors a run elsewhere, and the one that does nothing.

Disk comes first: a tracker gets only what is already written. It may fail at any moment without taking the run along,
and its figures are for people; nothing is read back from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]  # of questions.jsonl


@dataclass(frozen=True)
class Sweep:
    """Describes the sweep that a run belongs to."""

    id: str  # the same whenever the same sweep is started
    title: str  # the ablation's name, or "sweep"
    keys: tuple[str, ...]  # that it varies
    overrides: tuple[str, ...] = ()  # as typed, of the whole sweep
    choices: Mapping[str, str] = field(default_factory=dict)  # group -> option, of what is not varied
    versions: Mapping[str, str] = field(default_factory=dict)  # of packages, and the commit, when it was started


@dataclass(frozen=True)
class About:
    """Holds what a tracker is told of a run when it begins."""

    id: str  # of the configuration
    folder: Path
    config: Mapping[str, Any]  # resolved and plain
    preset: str = ""
    ablation: str = ""
    benchmark: str = ""
    overrides: tuple[str, ...] = ()  # as typed; in a sweep what was chosen for this run, too
    choices: Mapping[str, str] = field(default_factory=dict)  # group -> option
    versions: Mapping[str, str] = field(default_factory=dict)  # of packages, and the commit, when the run was begun
    sweep: Sweep | None = None  # None: it runs alone


class Tracker(ABC):
    """Defines what mirrors a run elsewhere. Of several processes only the first starts its tracker."""

    @abstractmethod
    def start(self, about: About) -> None:
        """Begins to mirror a run that begins, or goes on."""

    @abstractmethod
    def log(self, values: Mapping[str, float]) -> None:
        """Logs running figures."""

    @abstractmethod
    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Ends the mirroring of a run, with its summary and every line of questions.jsonl."""

    def table(self, sweep: Sweep, files: Sequence[Path]) -> None:  # noqa: B027 a tracker may well not show sweeps
        """Mirrors the table that a sweep ends with, as Markdown and CSV. Does nothing unless a tracker overrides it."""


class NoTracker(Tracker):
    """Mirrors nothing: the results on disk are all there is."""

    def start(self, about: About) -> None:
        """Starts nothing."""

    def log(self, values: Mapping[str, float]) -> None:
        """Logs nothing."""

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Writes nothing."""
