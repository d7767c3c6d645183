"""A published benchmark: an annotation file, a folder of videos, and a protocol.

The protocol is pure and stands alone (`questions`, `result`, `aggregate`): rows -> prompts, response and row -> score,
scores -> the benchmark's own figures. The rest finds rows and videos under `root` and puts the questions of one video
together. A benchmark file says what is its own: where its files lie, how it asks, how it reads an answer.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from framework.benchmarks.base import Absent, Benchmark, Item, Result, Strata, VideoItem
from framework.benchmarks.extraction import clean
from framework.benchmarks.places import existing_folder
from framework.benchmarks.tables import Row, read_rows
from framework.core.errors import UsageError
from framework.core.home import at_home
from framework.core.types import Answer, Question


@dataclass(frozen=True)
class _Survey:
    """What is there of a benchmark."""

    videos: list[VideoItem]
    absent: Absent


@dataclass(kw_only=True)
class Annotated(Benchmark):
    """Reads a benchmark from files under `root`; nothing is read before it is asked for.

    The fields are the keys of its configuration. A benchmark that is a dataclass inherits them and adds its own.
    """

    name: str
    root: str | None  # the folder of its files
    limit: int | None  # at most so many videos; null = all
    only: dict[str, str | int] | None  # strata to keep, such as {duration: long}; null = all

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit must be at least 1 video or null, got {self.limit}")
        self.root = None if self.root is None else str(at_home(self.root, "root"))

    @property
    def annotations(self) -> tuple[str, ...]:
        """Names the annotation files as globs under root, best first; all files of the first that matches are read."""
        return ()

    @property
    def videos_under(self) -> tuple[str, ...]:
        """Names the folders under root where videos may lie."""
        return ("",)

    # The protocol: pure functions of rows and responses.

    @abstractmethod
    def question(self, row: Row) -> Question:
        """Returns the question of one row, with the exact prompt."""

    @abstractmethod
    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """Returns (score 0..1, what was read out of the stripped response, or None)."""

    @abstractmethod
    def right(self, row: Row) -> str:
        """Returns the right answer as the benchmark writes it."""

    @abstractmethod
    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the file names under which the row's video may be found, the usual one first.

        The first name also names the video.
        """

    def strata(self, row: Row) -> Strata:
        """Returns the parts of the benchmark that the row belongs to."""
        return {}

    def evidence(self, row: Row) -> tuple[tuple[float, float], ...]:
        """Returns the spans in seconds that hold the answer, where the annotations say so."""
        return ()

    def questions(self, rows: Iterable[Row]) -> list[Question]:
        """Returns one question per row, in order."""
        return [self.question(row) for row in rows]

    def result(self, response: str, row: Row) -> Result:
        """Scores the response to one row, without its blocks of reasoning."""
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
        """Returns the videos that are not under root, and the rows that cannot be read."""
        return self._survey.absent

    def score(self, item: Item, answer: Answer) -> Result:
        """Scores what the model said."""
        return self.result(answer.text, self._row_of[item.question.id])

    def rows(self) -> list[Row]:
        """Reads all rows of the annotation files. Raises UsageError when there are no files."""
        return [row for path in self.files() for row in read_rows(path)]

    def files(self) -> list[Path]:
        """Returns the annotation files under root. Raises UsageError when root or the files are missing."""
        root = existing_folder(self.root, "benchmark.root", self.name)
        for pattern in self.annotations:
            if found := sorted(path for path in root.glob(pattern) if path.is_file()):
                return found
        raise UsageError(
            f"benchmark.root={self.root} holds no annotations of {self.name}; expected {' or '.join(self.annotations)}"
        )

    def find(self, row: Row) -> Path | None:
        """Returns the path of the row's video under root, or None."""
        assert self.root is not None
        root = Path(self.root)
        places = (root / folder / name for folder in self.videos_under for name in self.video_names(row))
        return next((path for path in places if path.is_file()), None)

    def wants(self, strata: Strata) -> bool:
        """Says whether `only` keeps a question of these strata. Raises UsageError where it names others."""
        only = self.only or {}
        if unknown := set(only) - set(strata):
            raise UsageError(
                f"benchmark.only names {sorted(unknown)}, but {self.name} has {sorted(strata) or 'no strata'}"
            )
        return all(str(label) in strata[name] for name, label in only.items())

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
            if not self.wants(item.strata):
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


def micro(results: Sequence[Result]) -> float:
    """Returns the share of right answers, 0 to 1; NaN without any result."""
    return sum(result.correct for result in results) / len(results) if results else float("nan")


def by_label(results: Sequence[Result], dimension: str) -> dict[str, list[Result]]:
    """Groups results by their labels of a dimension; a result with several labels counts under each."""
    found: dict[str, list[Result]] = {}
    for result in results:
        for label in result.strata.get(dimension, ()):
            found.setdefault(label, []).append(result)
    return dict(sorted(found.items()))
