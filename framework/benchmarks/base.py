"""What a benchmark is: videos, each with questions and their right answers. Knows no model and no strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from framework.types import Answer, Question


@dataclass(frozen=True)
class Item:
    """One question with its right answer."""

    question: Question
    right: int  # index of the right option
    split: str
    evidence: tuple[tuple[float, float], ...] = ()  # spans in seconds that hold the answer, where known
    facts: Mapping[str, str | int | float] = field(default_factory=dict)  # anything worth a column in the results


@dataclass(frozen=True)
class VideoItem:
    """One video with all its questions."""

    id: str
    path: str
    items: tuple[Item, ...]


class Benchmark(ABC):
    """Videos with questions. `len` is the number of videos; iterating makes or finds the files one at a time."""

    name: str

    @abstractmethod
    def __len__(self) -> int:
        """How many videos."""

    @abstractmethod
    def __iter__(self) -> Iterator[VideoItem]:
        """The videos, always in the same order."""

    def score(self, item: Item, answer: Answer) -> float:
        """1.0 when the right option was chosen, else 0.0."""
        return float(answer.choice == item.right)
