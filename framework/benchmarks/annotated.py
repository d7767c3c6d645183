"""A published benchmark: an annotation file, a folder of videos, and a protocol.

The protocol is pure and stands alone (`questions`, `result`, `aggregate`): rows -> prompts, response and row -> score,
scores -> the benchmark's own figures. The rest finds rows and videos under `root` and puts the questions of one video
together. A benchmark file says what is its own: where its files lie, how it asks, how it reads an answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from framework.benchmarks.base import Absent, Benchmark, Item, Result, Strata, VideoItem
from framework.benchmarks.extraction import clean
from framework.benchmarks.tables import Row, read_rows
from framework.core.errors import UsageError
from framework.core.types import Answer, Question


@dataclass(frozen=True)
class _Survey:
    """What is there of a benchmark."""

    videos: list[VideoItem]
    absent: Absent


class Annotated(Benchmark):
    """A benchmark read from files under `root`; nothing is read before it is asked for.

    `limit`: at most so many videos (null = all). `only`: strata to keep, such as {duration: long}.
    """

    annotations: tuple[str, ...]  # globs under root, in order of preference; all files of the first that matches
    videos_under: tuple[str, ...] = ("",)  # folders under root where videos may lie

    def __init__(self, name: str, root: str | None, limit: int | None, only: dict[str, str] | None) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1 video or null, got {limit}")
        self.name, self.limit, self.only = name, limit, only or {}
        self.root = None if root is None else Path(root).expanduser()

    # The protocol: pure functions of rows and responses.

    @abstractmethod
    def question(self, row: Row) -> Question:
        """The question of one row, with the exact prompt."""

    @abstractmethod
    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """(score 0..1, what was read out of the response or None) of a stripped response."""

    @abstractmethod
    def right(self, row: Row) -> str:
        """The right answer as the benchmark writes it."""

    @abstractmethod
    def video_names(self, row: Row) -> tuple[str, ...]:
        """File names under which the row's video may be found, the usual one first; the first also names the video."""

    def strata(self, row: Row) -> Strata:
        """The parts of the benchmark that the row belongs to."""
        return {}

    def evidence(self, row: Row) -> tuple[tuple[float, float], ...]:
        """Spans in seconds that hold the answer, where the annotations say so."""
        return ()

    def questions(self, rows: Iterable[Row]) -> list[Question]:
        """One question per row, in order."""
        return [self.question(row) for row in rows]

    def result(self, response: str, row: Row) -> Result:
        """The scored response to one row, read without its blocks of reasoning."""
        text = clean(response)
        correct, parsed = self.read(text, row)
        return Result(correct, parsed, text, self.strata(row))

    # Files.

    def __len__(self) -> int:
        return len(self._survey.videos)

    def __getitem__(self, index: int) -> VideoItem:
        return self._survey.videos[index]

    @property
    def absent(self) -> Absent:
        """Videos that are not under root, and rows that cannot be read."""
        return self._survey.absent

    def score(self, item: Item, answer: Answer) -> Result:
        """The score of what the model said."""
        return self.result(answer.text, self._row_of[item.question.id])

    def rows(self) -> list[Row]:
        """All rows of the annotation files. UsageError when there are none."""
        return [row for path in self.files() for row in read_rows(path)]

    def files(self) -> list[Path]:
        """The annotation files under root."""
        if self.root is None:
            raise UsageError(f"{self.name} is read from files: say where, benchmark.root=FOLDER")
        if not self.root.is_dir():
            raise UsageError(f"benchmark.root={self.root}: no such folder; expected the files of {self.name}")
        for pattern in self.annotations:
            if found := sorted(path for path in self.root.glob(pattern) if path.is_file()):
                return found
        raise UsageError(
            f"benchmark.root={self.root} holds no annotations of {self.name}; expected {' or '.join(self.annotations)}"
        )

    def find(self, row: Row) -> Path | None:
        """The row's video under root, or None."""
        assert self.root is not None
        places = (self.root / folder / name for folder in self.videos_under for name in self.video_names(row))
        return next((path for path in places if path.is_file()), None)

    @cached_property
    def _row_of(self) -> dict[str, Row]:
        return {}

    @cached_property
    def _survey(self) -> _Survey:
        """Rows that can be asked, by video, in the order of the file; what cannot be is counted."""
        items: dict[str, list[Item]] = {}
        paths: dict[str, Path | None] = {}
        broken: dict[str, str] = {}
        for number, row in enumerate(self.rows()):
            try:
                item, video = self._item(row), self.video_names(row)[0]
            except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
                broken[f"row {number}"] = f"{type(error).__name__}: {error}"
                continue
            if not self._wanted(item):
                continue
            if item.question.id in self._row_of:
                broken[f"row {number}"] = f"a second question called {item.question.id}"
                continue
            if video not in paths:
                paths[video] = self.find(row)
            self._row_of[item.question.id] = row
            items.setdefault(video, []).append(item)
        missing = {video: len(asked) for video, asked in items.items() if not self._there(paths[video], asked)}
        there = [
            VideoItem(video, str(paths[video] or video), tuple(asked))
            for video, asked in items.items()
            if video not in missing
        ]
        return _Survey(there[: self.limit], Absent(missing, broken))

    def _there(self, path: Path | None, items: Sequence[Item]) -> bool:
        return path is not None if self.recorded is None else self.recorded([item.question.id for item in items])

    def _item(self, row: Row) -> Item:
        return Item(self.question(row), self.right(row), self.strata(row), self.evidence(row))

    def _wanted(self, item: Item) -> bool:
        if unknown := set(self.only) - set(item.strata):
            raise UsageError(
                f"benchmark.only names {sorted(unknown)}, but {self.name} has {sorted(item.strata) or 'no strata'}"
            )
        return all(label in item.strata[name] for name, label in self.only.items())


def micro(results: Sequence[Result]) -> float:
    """Share of right answers, 0 to 1; NaN without any."""
    return sum(result.correct for result in results) / len(results) if results else float("nan")


def by_label(results: Sequence[Result], dimension: str) -> dict[str, list[Result]]:
    """Label -> its results; a result with several labels counts under each."""
    found: dict[str, list[Result]] = {}
    for result in results:
        for label in result.strata.get(dimension, ()):
            found.setdefault(label, []).append(result)
    return dict(sorted(found.items()))


def macro(results: Sequence[Result], dimension: str, of: Callable[[Sequence[Result]], float] = micro) -> float:
    """Unweighted mean over the labels of a dimension."""
    parts = by_label(results, dimension)
    return sum(of(part) for part in parts.values()) / len(parts) if parts else float("nan")
