"""One question of a run, found in its folder: its line, and where its evidence lies. Imports nothing heavy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from framework.core.errors import UsageError
from framework.evaluation.journal import read_lines
from framework.evaluation.results import PARTS, QUESTION, is_mapping

NAMED = 3  # ids that an error names
COLUMNS = ("visited", "relevance", "quota", "kept", "choice")


def question_line(folder: Path, question: str) -> dict[str, Any]:
    """Finds the line of a question (an id) in the run folder `folder`.

    Raises UsageError where there is none, naming the closest ids, and where it is torn, damaged or of an older format.
    """
    ids: list[str] = []
    for file in _files(folder):
        lines, faults = read_lines(file)
        for line in lines:
            if line["id"] == question:
                _check(file, line)
                return line
        ids += [line["id"] for line in lines]
        tail = file.read_bytes().rpartition(b"\n")[2]
        damaged = [(f"line {fault.number}", fault.raw) for fault in faults if not fault.double]
        for name, raw in (*damaged, *([("the last line", tail)] if tail else [])):
            if f'"{question}"'.encode() in raw:
                raise UsageError(
                    f"{file}: {name}, that of {question}, is torn or damaged; the command that made the run asks the "
                    "question again"
                )
    raise UsageError(_unknown(folder, question, ids))


def evidence(folder: Path, line: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Returns the spans of seconds that hold the evidence of a line's question; none where the run does not say."""
    for file in _files(folder, "sources"):
        for source in read_lines(file)[0]:
            if source["id"] == line["video"] and is_mapping(source.get("evidence")):
                return tuple((float(start), float(end)) for start, end in source["evidence"].get(line["id"], ()))
    return ()


def _files(folder: Path, name: str = "questions") -> Iterator[Path]:
    """The journal of a run, and the parts that several processes still write."""
    for file in (folder / f"{name}.jsonl", *sorted((folder / PARTS).glob(f"{name}-*.jsonl"))):
        if file.is_file():
            yield file


def _unknown(folder: Path, question: str, ids: list[str]) -> str:
    if not ids:
        return f"{folder}: no question is answered yet (questions.jsonl is missing or empty)"
    close = difflib.get_close_matches(question, ids, NAMED, cutoff=0.5)
    some = close or [*(one for one in ids if question and question in one), *ids][:NAMED]
    meant = "the closest are" if close else "there are"
    return f"{folder} has no answer to a question {question!r}, of {len(ids)}; {meant} {', '.join(dict.fromkeys(some))}"


def _check(file: Path, line: Mapping[str, Any]) -> None:
    """UsageError for a line from which no picture can be drawn."""
    if "groups" not in line:
        raise UsageError(f"{file}: the line of {line['id']} is of an older format; run `sieve eval` again to show it")
    shape: dict[str, Callable[[Any], bool]] = {key: fits for key, fits in QUESTION.items() if key in line}
    wrong = [
        key for key, fits in {**shape, "groups": _fit, "probabilities": _are_numbers}.items() if not fits(line.get(key))
    ]
    if wrong:
        raise UsageError(f"{file}: the line of {line['id']} is damaged, its {', '.join(wrong)} cannot be read")


def _fit(groups: Any) -> bool:
    """Whether the columns of the groups are there, of one length and not empty."""
    if not is_mapping(groups) or not isinstance(groups.get("signals", {}), dict):
        return False
    columns = [groups.get(name) for name in COLUMNS] + list(groups.get("signals", {}).values())
    return all(isinstance(column, list) and _are_numbers(column, True) for column in columns) and (
        len({len(column) for column in columns}) == 1 and len(columns[0]) > 0
    )


def _are_numbers(values: Any, nothing: bool = False) -> bool:
    kinds = (int, float, type(None)) if nothing else (int, float)
    return isinstance(values, list) and all(isinstance(value, kinds) for value in values)
