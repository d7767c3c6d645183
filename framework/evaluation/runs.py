"""Runs as they lie on disk, read without touching them: a run may still be going on.

A run folder is one that `sieve eval` wrote into (it holds run.json); docs/results_on_disk.md lists its files.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from framework.config.groups import NO_RESULT
from framework.config.identity import ABOUT, LOCATIONS, describe
from framework.core.errors import UsageError
from framework.evaluation.journal import ANY, Shape, is_text, read_lines
from framework.evaluation.results import PARTS, QUESTION, is_mapping, is_number

Line = Mapping[str, Any]
SECONDS: Shape = {"id": is_text, "seconds": is_number}


@dataclass(frozen=True)
class Run:
    """Describes one run: who it is and what it has answered so far."""

    name: str  # for people; empty until it is named (naming.py)
    benchmark: str
    lines: Mapping[str, Line]  # question -> its line
    seconds: Mapping[str, float]  # question -> what it took
    failed: frozenset[str]  # questions that failed and have no line
    finished: bool
    folder: Path = Path()
    id: str = ""
    preset: str = ""
    overrides: tuple[str, ...] = ()  # as typed
    config: Mapping[str, str] = field(default_factory=dict)  # dotted key -> value
    versions: Mapping[str, str] = field(default_factory=dict)


def find(words: Sequence[str]) -> list[tuple[str, Path]]:
    """Finds every run that the words mean: (name, folder), in their order, each folder once.

    The name is empty unless one is given. A word is a run folder, a folder with runs below it, a pattern, or NAME= and
    one run folder. Raises UsageError for what is none of these.
    """
    found: dict[Path, tuple[str, Path]] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        named = bool(equals) and not Path(word).exists() and "/" not in name
        folders = _below(rest if named else word)
        if named and len(folders) > 1:
            raise UsageError(f"{word}: a name is for one run, got {len(folders)} runs below {rest}")
        for folder in folders:
            found.setdefault(folder.resolve(), (name if named else "", folder))
    return list(found.values())


def _below(word: str) -> list[Path]:
    """The run folders that one word means."""
    places = [Path(word)] if Path(word).exists() else [Path(place) for place in sorted(glob.glob(word, recursive=True))]
    if not places:
        raise UsageError(f"there is no folder {word!r}; expected run folders of `sieve eval`, such as outputs/needle/*")
    found = [run for place in places for run in ([place] if _is_run(place) else _runs_in(place))]
    if not found:
        raise UsageError(f"{word}: no run in there; a run folder of `sieve eval` holds run.json and questions.jsonl")
    return found


def _is_run(place: Path) -> bool:
    return (place / "run.json").is_file() or (place / "questions.jsonl").is_file()


def _runs_in(place: Path) -> list[Path]:
    return sorted({file.parent for name in ("run.json", "questions.jsonl") for file in place.rglob(name)})


def load(folder: Path, name: str = "") -> Run:
    """Loads the run in a folder.

    Raises UsageError when it has not answered anything, is of an older format or does not say which benchmark it is of.
    """
    lines = {line["id"]: line for line in _lines(folder, "questions", ANY)}
    if not lines:
        raise UsageError(f"{folder}: no question is answered yet (questions.jsonl is missing or empty)")
    if not any("groups" in line for line in lines.values()):
        raise UsageError(f"{folder}: questions.jsonl is of an older format; run `sieve eval` again to compare it")
    there = set().union(*lines.values())  # a line that lacks what others have is damaged
    shape = {key: fits for key, fits in QUESTION.items() if key in there} | {"groups": is_mapping}
    lines = {line["id"]: line for line in _lines(folder, "questions", shape)}
    about = describe(folder) if _has(folder, ABOUT) else {}
    summary = _json(folder / "summary.json")
    left_out = set(summary.get("left_out", ()))
    answered, lines = len(lines), {name: line for name, line in lines.items() if name not in left_out}
    nested = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml")) if _has(folder, "config.yaml") else {}
    config = flat(nested)
    benchmark = config.get("benchmark.name") or summary.get("benchmark")
    if not benchmark:
        raise UsageError(f"{folder}: neither config.yaml nor summary.json says which benchmark this is")
    return Run(
        name=name,
        benchmark=str(benchmark),
        lines=lines,
        seconds={line["id"]: float(line["seconds"]) for line in _lines(folder, "timings", SECONDS)},
        failed=frozenset(line["id"] for line in _lines(folder, "failures", ANY)) - set(lines),
        finished=summary.get("n") == answered - len(left_out),
        folder=folder,
        id=about.get("id", ""),
        preset=about.get("preset", ""),
        overrides=tuple(about.get("overrides", ())),
        config=config,
        versions={key: str(value) for key, value in about.get("versions", {}).items()},
    )


def flat(node: Any, path: str = "") -> dict[str, str]:
    """Returns dotted key -> value as text.

    Keys that change no result, and those that say where files lie, are left out.
    """
    if not isinstance(node, Mapping):
        return {path: json.dumps(node, ensure_ascii=False) if isinstance(node, list) else str(node)} if path else {}
    skipped = LOCATIONS if path else (*LOCATIONS, *NO_RESULT)
    return {
        key: value
        for name, below in node.items()
        if name not in skipped
        for key, value in flat(below, f"{path}.{name}".lstrip(".")).items()
    }


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _json(file: Path) -> dict[str, Any]:
    """What a file of ours holds; nothing where there is no file."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is damaged ({error}); the command that made the run writes it again") from error
    return found if isinstance(found, dict) else {}


def _lines(folder: Path, name: str, shape: Shape) -> Iterable[dict[str, Any]]:
    """Complete lines of a journal, and of the parts that several processes are still writing; the first of one id."""
    seen: dict[str, dict[str, Any]] = {}
    for file in (folder / f"{name}.jsonl", *sorted((folder / PARTS).glob(f"{name}-*.jsonl"))):
        lines, faults = read_lines(file, shape)
        if wrong := [fault for fault in faults if not fault.double]:
            raise UsageError(
                f"{file}, line {wrong[0].number} is no result line ({wrong[0].why}); the command that made the run "
                "moves such lines aside and asks their questions again"
            )
        for line in lines:
            seen.setdefault(line["id"], line)
    return seen.values()
