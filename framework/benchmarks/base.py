"""What a benchmark is: videos, each with questions; responses that it scores; figures that it makes of the scores.

Knows no model and no strategy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from framework.core.types import Answer, Question

Strata = Mapping[str, tuple[str, ...]]  # dimension -> labels: {"duration": ("long",), "type": ("reasoning", "summary")}


@dataclass(frozen=True)
class Item:
    """Holds one question with what is needed to score its answer."""

    question: Question
    right: str  # the right answer as the benchmark writes it; a letter wherever there are options
    strata: Strata = field(default_factory=dict)  # parts of the benchmark that are reported on their own
    evidence: tuple[tuple[float, float], ...] = ()  # spans in seconds that hold the answer, where known
    facts: Mapping[str, str | int | float] = field(default_factory=dict)  # anything worth a column in the results


@dataclass(frozen=True)
class VideoItem:
    """Holds one video with all its questions."""

    id: str
    path: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Result:
    """Holds a scored response."""

    correct: float  # 0 to 1, 1 = right
    parsed: str | None  # what was read out of the response; None: nothing could be, which counts as wrong
    response: str
    strata: Strata = field(default_factory=dict)


@dataclass(frozen=True)
class Absent:
    """Lists what a benchmark names but cannot ask; it is shown and does not stop an evaluation."""

    videos: Mapping[str, int] = field(default_factory=dict)  # missing video -> how many questions it takes along
    rows: Mapping[str, str] = field(default_factory=dict)  # row of the annotations -> why it cannot be read


class Benchmark(ABC):
    """Defines videos with questions.

    `len` says how many videos can be asked about. An index makes or finds one of them.
    """

    name: str
    recorded: Callable[[Sequence[str]], bool] | None = None  # in a replay: whether any of these questions (ids) was
    # recorded; its video then counts as there, and nobody looks for the file

    @abstractmethod
    def __len__(self) -> int:
        """How many videos; reads the annotations. Raises UsageError when they are not where they should be."""

    @abstractmethod
    def __getitem__(self, index: int) -> VideoItem:
        """Video `index` of 0..len-1, always the same one. Raises IndexError beyond."""

    def outline(self, index: int) -> VideoItem:
        """Returns the same as the index does, without making the video's file where it is not there."""
        return self[index]

    def __iter__(self) -> Iterator[VideoItem]:
        """The videos, always in the same order."""
        return (self[index] for index in range(len(self)))

    @property
    def absent(self) -> Absent:
        """Returns what cannot be asked. By default, that is nothing."""
        return Absent()

    def score(self, item: Item, answer: Answer) -> Result:
        """Scores an answer. By default, it is right when the likeliest option is the right one."""
        letter = None if answer.choice is None else item.question.letters[answer.choice]
        return Result(float(letter == item.right), letter, answer.text, item.strata)

    def aggregate(self, results: Sequence[Result]) -> dict[str, float]:
        """Returns the benchmark's own figures by name. By default, that is the accuracy, 0 to 1."""
        return {"accuracy": sum(result.correct for result in results) / len(results)} if results else {}
