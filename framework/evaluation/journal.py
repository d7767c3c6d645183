"""Lines of JSON that survive a kill: appended one at a time, flushed, and read back without a torn last line.

A line is a mapping with an `id`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DIGITS = 6


class Journal:
    """Keeps an append-only file with one JSON object per line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = _repair(path)
        self.ids = {line["id"] for line in self.lines}

    def append(self, line: Mapping[str, Any]) -> None:
        """Appends a line and hands it to the disk at once."""
        self.extend([line])

    def extend(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Appends lines and hands them to the disk at once."""
        rounded = [jsonable(line) for line in lines]
        with open(self.path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in rounded)
            file.flush()
            os.fsync(file.fileno())
        self.lines += rounded
        self.ids |= {line["id"] for line in rounded}


def _repair(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file; what a kill left half-written is cut off, in the file too."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    return [json.loads(line) for line in data[:whole].splitlines()]


def jsonable(value: Any) -> Any:
    """Returns the value with floats rounded to six digits.

    What JSON cannot say (NaN, infinities) becomes null. Raises TypeError for anything but numbers, text, lists and
    mappings.
    """
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0 if math.isfinite(value) else None  # + 0.0: no negative zero
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [jsonable(item) for item in value]
    raise TypeError(f"a result line holds numbers, text, lists and mappings, got {type(value).__name__}")
