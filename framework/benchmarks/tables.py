"""Annotation files as their authors publish them, as rows: parquet, JSON lines, JSON. Knows no benchmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from framework.core.errors import UsageError

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a .parquet, .jsonl or .json file (a list of rows).

    Raises UsageError naming file and line.
    """
    if path.suffix == ".parquet":
        return _parquet(path)
    if path.suffix == ".jsonl":
        return [row for _, row in read_lines(path)]
    try:
        found = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: no JSON ({error}); expected a list of rows") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UsageError(f"{path}: expected a list of rows, each a mapping, got {type(found).__name__}")
    return found


def read_lines(path: Path) -> list[tuple[int, Row]]:
    """Reads JSON lines: the number of each line, from 1, and its row. Blank lines are passed over.

    Raises UsageError naming file and line.
    """
    # split at line feeds alone: texts may hold other line separators, such as U+2028
    lines = enumerate(_text(path).split("\n"), 1)
    return [(number, _line(path, number, line)) for number, line in lines if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected text in UTF-8 ({error})") from error


def _parquet(path: Path) -> list[Row]:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path}: not a parquet file that can be read ({error})") from error


def _line(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {number}: no JSON ({error}); expected one row per line") from error
    if not isinstance(row, dict):
        raise UsageError(f"{path}, line {number}: expected a mapping, got {type(row).__name__}")
    return row


def number_rows(rows: Iterable[Row], *keys: str) -> list[Row]:
    """Adds `_number` to the rows: how many rows with the same values under `keys` came before.

    It serves for ids that files lack.
    """
    before: Counter[tuple[str, ...]] = Counter()
    found = []
    for row in rows:
        same = tuple(str(row.get(key)) for key in keys)
        found.append({**row, "_number": before[same]})
        before[same] += 1
    return found
