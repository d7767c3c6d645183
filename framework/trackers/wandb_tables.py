"""What W&B is shown of results that are on disk: tables, the flat summary, which questions get a picture."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from framework.evaluation.association import RIGHT
from framework.evaluation.tracker import Line

COLUMNS: tuple[str, ...] = (
    *("id", "video", "question", "options", "right", "parsed", "answer", "correct", "probabilities", "entropy"),
    *("relevance", "groups_visited", "groups_total", "tokens_kept", "tokens_seen", "evidence_found", "evidence_kept"),
)
COUNTED = ("errors", "absent/videos", "absent/rows")
WORDS = ("run", "failure", "note", "test")  # columns of a sweep's table that are never numbers
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?")


def question_table(lines: Sequence[Line]) -> tuple[list[str], list[list[Any]]]:
    """Returns columns and rows: what happened to each question, a column per kind of stratum.

    `relevance` has a number per group, null where it was not visited. Options are one text, a line each.
    """
    strata = list(dict.fromkeys(name for line in lines for name in line["strata"]))
    rows = [[*_cells(line), *(", ".join(map(str, line["strata"].get(name, ()))) for name in strata)] for line in lines]
    return [*COLUMNS, *strata], rows


def _cells(line: Line) -> list[Any]:
    options = line.get("options")  # older runs have neither question nor options
    told = {
        **line,
        "options": None if options is None else "\n".join(options),
        "probabilities": list(line.get("probabilities") or ()),
        "relevance": list(line["groups"]["relevance"]),
    }
    return [told.get(name) for name in COLUMNS]


def sweep_table(file: Path) -> tuple[list[str], list[list[Any]]]:
    """Reads columns and rows from the CSV of a sweep. Columns of numbers become numbers, null where nothing is."""
    with open(file, encoding="utf-8", newline="") as text:
        columns, *rows = csv.reader(text)
    numbers = [
        name not in WORDS and all(not row[place] or _NUMBER.fullmatch(row[place]) for row in rows)
        for place, name in enumerate(columns)
    ]
    return columns, [
        [_number(cell) if number else cell for cell, number in zip(row, numbers, strict=True)] for row in rows
    ]


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def for_pictures(lines: Sequence[Line], most: int) -> list[Line]:
    """Picks at most `most` lines: wrong answers first, in the order of the file."""
    return sorted(lines, key=lambda line: line["correct"] > RIGHT)[:most]


def caption(line: Line) -> str:
    """Says which question a picture is of, and how it was answered."""
    verdict = "right" if line["correct"] > RIGHT else "wrong"
    return f"{line['id']}, {verdict}: {line.get('question', '')}".rstrip(": ")


def flat(summary: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Turns `{"a": {"b": [1, 2]}}` into `{"a/b/0": 1, "a/b/1": 2}`.

    Of what was missing or failed, listed by name, only the number stays.
    """
    found: dict[str, Any] = {}
    for name, value in summary.items():
        key = f"{path}{name}"
        if key in COUNTED:
            found[key] = len(value)
        elif isinstance(value, Mapping):
            found |= flat(value, f"{key}/")
        elif isinstance(value, (list, tuple)):
            found |= flat({str(place): item for place, item in enumerate(value)}, f"{key}/")
        else:
            found[key] = value
    return found
