"""Running figures as a table on disk: metrics.csv in the run folder, a line whenever a video is done.

A run that goes on appends to it; a line that a kill left half-written is cut off.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framework.config.identity import whole
from framework.evaluation.journal import jsonable
from framework.evaluation.tracker import About, Line, Tracker

FILE = "metrics.csv"


class CsvTracker(Tracker):
    """Appends every set of figures as a line. The first set names the columns; a new figure adds one on the right."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._columns: list[str] = []

    def start(self, about: About) -> None:
        """Finds the columns of an earlier start, and repairs the end of the file."""
        self._path = about.folder / FILE
        self._columns = _repaired_header(self._path)

    def log(self, values: Mapping[str, float]) -> None:
        """Adds a line. Floats have six digits; what is not known stays empty.

        Raises RuntimeError where the tracker was not started.
        """
        if self._path is None:
            raise RuntimeError("the tracker was not started: call start() before log()")
        if new := [name for name in values if name not in self._columns]:
            self._columns += new
            whole(
                self._path, _text(self._columns, [dict(zip(self._columns, self._columns, strict=True)), *self._rows()])
            )
        with open(self._path, "a", encoding="utf-8", newline="") as file:
            file.write(_text(self._columns, [jsonable(values)]))
            file.flush()
            os.fsync(file.fileno())

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Writes nothing: summary.json and questions.jsonl are there already."""

    def _rows(self) -> list[dict[str, Any]]:
        if self._path is None or not self._path.exists():
            return []
        with open(self._path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def _text(columns: list[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, columns, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _repaired_header(path: Path) -> list[str]:
    """The columns of the table, none where there is no table yet; a torn last line is removed from the file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    complete = data.rfind(b"\n") + 1
    if complete < len(data):
        os.truncate(path, complete)
    return next(csv.reader(data[:complete].decode().splitlines()[:1]), [])
