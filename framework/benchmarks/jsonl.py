"""A benchmark of one's own: a file with one question per line, about videos that lie beside it.

A line is {"video", "question", "answer"}, and as wanted "options" (a list of texts), "id", "evidence" (spans in
seconds) and the fields named by `strata`. All lines are checked before anything is asked: a mistake in one's own file
is there to be repaired, not to be counted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from framework.benchmarks.annotated import Annotated
from framework.benchmarks.base import Strata
from framework.benchmarks.extraction import letter
from framework.benchmarks.places import existing_file
from framework.benchmarks.tables import Row, number_rows, read_rows
from framework.core.errors import UsageError
from framework.core.home import at_home
from framework.core.prompts import PromptTemplate
from framework.core.types import Question

SHOWN = 10  # mistakes in one message


class Jsonl(Annotated):
    """Asks the questions of `file` (.jsonl, .json or .parquet), in the words of the backbone's `prompt` template.

    Paths of videos start from `root`, which is the file's own folder by default.
    """

    key = "benchmark.file"  # of the configuration, for messages

    def __init__(  # no fields: the key `strata` is also a method's name
        self,
        name: str,
        file: str | None,
        root: str | None,
        strata: list[str],
        prompt: PromptTemplate,
        limit: int | None,
        only: dict[str, str | int] | None,
    ) -> None:
        self.file = None if file is None else at_home(file, "file")
        beside = str(self.file.parent) if self.file else None
        super().__init__(name=name, root=beside if root is None else root, limit=limit, only=only)
        self.fields, self.prompt = strata, prompt

    def files(self) -> list[Path]:
        """Returns the one file. Raises UsageError where none is named or it does not exist."""
        return [existing_file(self.file, self.key, self.name)]

    def rows(self) -> list[Row]:
        """Reads all rows. Raises UsageError that names file and lines when some cannot be asked."""
        (file,) = self.files()
        found = read_rows(file)
        lines = _lines(file, len(found))
        rows = number_rows(({**self.told(row), "_line": line} for line, row in zip(lines, found, strict=True)), "video")
        seen: dict[str, int] = {}
        mistakes = []
        for row in rows:
            line = row["_line"]
            try:
                identity = self._item(row).question.id
                if identity in seen:
                    raise ValueError(f"id {identity!r} is taken by line {seen[identity]} (key: id)")
                seen[identity] = line
            except ValueError as error:
                mistakes.append(f"{file}, line {line}: {error}")
        if mistakes:
            more = f"\nand {len(mistakes) - SHOWN} more lines" if len(mistakes) > SHOWN else ""
            raise UsageError("\n".join(mistakes[:SHOWN]) + more)
        if not rows:
            raise UsageError(f"{file} holds no question; expected one JSON object per line")
        return rows

    def told(self, row: Row) -> Row:
        """Converts a line of the file to the words of this module; here it stays as it is."""
        return row

    def questions(self, rows: Iterable[Row]) -> list[Question]:
        """Returns one question per row, in order."""
        return [self.question(row) for row in number_rows(rows, "video")]

    def question(self, row: Row) -> Question:
        """Returns the question of one row in the backbone's template, with or without options."""
        identity = str(row["id"]) if row.get("id") is not None else f"{_text(row, 'video')}-{row['_number']}"
        return self.prompt.question(identity, _text(row, "question"), _options(row))

    def read(self, response: str, row: Row) -> tuple[float, str | None]:
        """Returns (1 or 0, what was read out of the response, or None).

        With options, that is a letter or an option's text. Without, right is a response of the same words as the
        answer.
        """
        options = _options(row)
        said = _choice(response, options) if options else normal(response)
        return float(said == (self.right(row) if options else normal(_answer(row)))), said or None

    def right(self, row: Row) -> str:
        """Returns the letter of the right option, or the answer itself of an open question."""
        options = _options(row)
        return _right(row, options) if options else _answer(row)

    def video_names(self, row: Row) -> tuple[str, ...]:
        """Returns the field `video`."""
        return (_text(row, "video"),)

    def strata(self, row: Row) -> Strata:
        """Returns the fields named by the key `strata`."""
        return {field: (str(_there(row, field)),) for field in self.fields}

    def evidence(self, row: Row) -> tuple[tuple[float, float], ...]:
        """Returns the field `evidence`: [[start, end], ...] in seconds. Raises ValueError for anything else."""
        spans = row.get("evidence") or []
        if not isinstance(spans, list) or not all(_is_span(span) for span in spans):
            raise ValueError(f"evidence must be [[start, end], ...] in seconds, start before end, got {spans!r}")
        return tuple((float(start), float(end)) for start, end in spans)


def normal(text: str) -> str:
    """Returns the text in lower case, without punctuation, with one space between words.

    That is what counts of an open answer.
    """
    kept = "".join(" " if unicodedata.category(char).startswith("P") else char for char in text.casefold())
    return " ".join(kept.split())


def _choice(response: str, options: tuple[str, ...]) -> str:
    """A letter alone in either case, else an option's own text, else the letter that the evaluators' rule finds."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]
    alone = response.strip(" .:()").upper()
    if len(alone) == 1 and alone in letters:
        return alone
    texts = [normal(option) for option in options]
    if texts.count(normal(response)) == 1:
        return letters[texts.index(normal(response))]
    return letter(response, letters)


def _right(row: Row, options: tuple[str, ...]) -> str:
    """The letter that `answer` means: a letter, an option's text, or a number counted from 0."""
    answer = _there(row, "answer")
    letters = [chr(ord("A") + i) for i in range(len(options))]
    if isinstance(answer, int) and not isinstance(answer, bool):
        meant = {letters[answer]} if 0 <= answer < len(letters) else set()
    else:
        meant = {mark for mark, text in zip(letters, options, strict=True) if answer in (mark, text)}
    if len(meant) != 1:
        what = "fits several of" if meant else "is none of"
        raise ValueError(
            f"answer {answer!r} {what} the options {list(options)}; expected a letter of {', '.join(letters)}, "
            f"an option's text, or a number from 0 to {len(options) - 1}"
        )
    return meant.pop()


def _answer(row: Row) -> str:
    """The answer of an open question, a text or a number."""
    answer = _there(row, "answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not normal(str(answer)):
        raise ValueError(f"answer must be a text with words in it, got {answer!r}")
    return str(answer)


def _options(row: Row) -> tuple[str, ...]:
    options = row.get("options") or []
    if not isinstance(options, list) or not all(isinstance(text, str) and text.strip() for text in options):
        raise ValueError(f"options must be a list of texts, got {options!r}; leave it out of an open question")
    if len(set(options)) < len(options):
        raise ValueError(f"options must differ, got {options!r}")
    return tuple(options)


def _text(row: Row, field: str) -> str:
    value = _there(row, field)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field} must be a text that is not empty, got {value!r}")
    return value


def _there(row: Row, field: str) -> Any:
    if row.get(field) is None:
        raise ValueError(f"{field} is missing; the line has {sorted(key for key in row if not key.startswith('_'))}")
    return row[field]


def _is_span(span: Any) -> bool:
    numbers = isinstance(span, list) and len(span) == 2 and all(type(value) in (int, float) for value in span)
    return numbers and 0 <= span[0] < span[1]


def _lines(file: Path, rows: int) -> Iterable[int]:
    """Where each row stands: its line, or its place in a file that has no lines."""
    if file.suffix != ".jsonl":
        return range(1, rows + 1)
    text = file.read_text(encoding="utf-8-sig")
    return [number for number, line in enumerate(text.split("\n"), 1) if line.strip()]
