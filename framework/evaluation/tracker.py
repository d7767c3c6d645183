"""What mirrors a run elsewhere, and the one that does nothing.

Disk comes first: a tracker gets only what is already written. It may fail at any moment without taking the run along,
and its figures are for people; nothing is read back from it. Knows no strategy and no benchmark.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]  # of questions.jsonl


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
    """Mirrors a run. Of several processes only the first has one that is started."""

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
