"""Lines of JSON that survive a kill: appended one at a time, flushed, and read back without a torn last line.

A line is a mapping with an `id`; of several with one id the first counts. What is no such line is moved to another
file.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.config.identity import whole

DIGITS = 6
BAD, OLD = ".bad", ".old"  # endings of the files beside: lines that are none, lines that count no more
Shape = Mapping[str, Callable[[Any], bool]]  # key -> whether its value is a possible one; every key must be there
_log = logging.getLogger(__name__)


def is_text(value: Any) -> bool:
    """Says whether a value is a text."""
    return isinstance(value, str)


ANY: Shape = {"id": is_text}


@dataclass(frozen=True)
class Fault:
    """Says what is wrong with one line of a file."""

    number: int  # from 1
    why: str
    raw: bytes
    double: bool = False  # a line like any other, about something that has one


class Journal:
    """Keeps an append-only file with one JSON object per line; every line has the keys of `shape`.

    Lines that have not are moved to a file of the same name and `.bad`, and a warning says so.
    """

    def __init__(self, path: Path, shape: Shape = ANY) -> None:
        self.path = path
        self.lines = _repair(path, shape)
        self.ids = {line["id"] for line in self.lines}

    def append(self, line: Mapping[str, Any]) -> None:
        """Appends a line and hands it to the disk at once."""
        self.extend([line])

    def extend(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Appends lines and hands them to the disk at once."""
        rounded = [jsonable(line) for line in lines]
        _append(self.path, "".join(map(_text, rounded)).encode())
        self.lines += rounded
        self.ids |= {line["id"] for line in rounded}

    def replace(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Replaces all lines by these, at once."""
        rounded = [jsonable(line) for line in lines]
        whole(self.path, "".join(map(_text, rounded)))
        self.lines, self.ids = rounded, {line["id"] for line in rounded}

    def retire(self, ids: Collection[str]) -> None:
        """Moves the lines of these ids to a file of the same name and `.old`."""
        gone = [line for line in self.lines if line["id"] in ids]
        if gone:
            _append(_beside(self.path, OLD), "".join(map(_text, gone)).encode())
            self.replace([line for line in self.lines if line["id"] not in ids])


def read_lines(path: Path, shape: Shape = ANY) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Reads the complete lines of a file, and what is wrong with those that are none. The file stays as it is."""
    found: dict[str, dict[str, Any]] = {}
    faults = []
    data = path.read_bytes() if path.exists() else b""
    for number, raw in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            line = _line(raw, shape)
        except (ValueError, RecursionError) as error:
            faults.append(Fault(number, str(error), raw))
            continue
        if line["id"] in found:
            faults.append(Fault(number, f"a second one about {line['id']}", raw, double=True))
        else:
            found[line["id"]] = line
    return list(found.values()), faults


def _line(raw: bytes, shape: Shape) -> dict[str, Any]:
    """One line; ValueError says what is wrong with it."""
    if not raw.strip():
        raise ValueError("it is empty")
    try:
        line = json.loads(raw.decode(), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg}, column {error.colno}") from error
    if not isinstance(line, dict):
        raise ValueError(f"expected a mapping, got {type(line).__name__}")
    if missing := [key for key in shape if key not in line]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if wrong := [f"{key} = {line[key]!r:.40}" for key, fits in shape.items() if not fits(line[key])]:
        raise ValueError(f"its values do not fit: {', '.join(wrong)}")
    return line


def _refuse(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


def _repair(path: Path, shape: Shape) -> list[dict[str, Any]]:
    """The lines of a file. What a kill left half-written is cut off, in the file too; what is no line is moved."""
    if not path.exists():
        return []
    data = path.read_bytes()
    complete = data.rfind(b"\n") + 1
    if complete < len(data):
        os.truncate(path, complete)
    lines, faults = read_lines(path, shape)
    if faults:
        beside = _beside(path, BAD)
        for fault in faults:
            if not fault.double:
                said = "%s, line %d is no result line (%s): moved to %s, and its question counts as open"
                _log.warning(said, path, fault.number, fault.why, beside.name)
        if doubles := sum(fault.double for fault in faults):
            _log.warning("%s: %d lines about what has one already are moved to %s", path, doubles, beside.name)
        _append(beside, b"".join(fault.raw + b"\n" for fault in faults))
        whole(path, "".join(map(_text, lines)))
    return lines


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


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
