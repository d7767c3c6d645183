"""What a run has on disk so far: questions, timings, failures and sources, of one process or of several.

One process writes the files themselves. Several write parts of their own under parts/, which the first one gathers, at
the beginning (what an earlier run left) and at the end. Gathering may be interrupted and repeated: a line counts once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framework.evaluation.distributed import World
from framework.evaluation.journal import BAD, Journal, Shape, is_text, read_lines

PARTS = "parts"


def is_number(value: Any) -> bool:
    """Says whether a value is a number."""
    return isinstance(value, (int, float))


def is_mapping(value: Any) -> bool:
    """Says whether a value is a mapping."""
    return isinstance(value, dict)


def _is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


QUESTION: Shape = {  # what the summary and a comparison read of a line
    **dict.fromkeys(("id", "video", "prompt", "answer"), is_text),
    **dict.fromkeys(("parsed", "right"), _is_text_or_null),
    "correct": lambda value: is_number(value) and 0 <= value <= 1,
    "strata": lambda value: is_mapping(value) and all(isinstance(labels, list) for labels in value.values()),
    "groups_total": lambda value: is_number(value) and value > 0,
    **dict.fromkeys(("groups_visited", "tokens_total", "tokens_seen", "tokens_kept"), is_number),
    "evidence_found": lambda value: value is None or isinstance(value, bool),
}
SHAPES: dict[str, Shape] = {
    "questions": QUESTION,
    "timings": {
        "id": is_text,
        "seconds": is_number,
        "stages": lambda value: is_mapping(value) and all(map(is_number, value.values())),
        "peak_bytes": is_number,
    },
    "failures": {"id": is_text, "error": is_text},
    "sources": {"id": is_text, "size": is_number, "modified": is_number, "evidence": is_mapping},
}


def journal(folder: Path, name: str) -> Journal:
    """Opens one of the journals of a run folder, and repairs it."""
    return Journal(folder / f"{name}.jsonl", SHAPES[name])


def gather(folder: Path) -> None:
    """Moves the lines of all parts into the files of the run.

    Of several lines about one question the first stays.
    """
    for name, shape in SHAPES.items():
        parts = sorted((folder / PARTS).glob(f"{name}-*.jsonl"))
        if not parts:
            continue
        together = journal(folder, name)
        known = together.ids
        for part in parts:
            new = [line for line in Journal(part, shape).lines if line["id"] not in known]
            together.extend(new)
            known |= {line["id"] for line in new}
            part.unlink()
        for bad in (folder / PARTS).glob(f"{name}-*{BAD}"):
            with open(f"{together.path}{BAD}", "ab") as file:
                file.write(bad.read_bytes())
            bad.unlink()
    if (folder / PARTS).is_dir() and not any((folder / PARTS).iterdir()):
        (folder / PARTS).rmdir()


class Results:
    """Holds the journals of this process, and what all processes have written."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        alone = world.size == 1
        where = folder if alone else folder / PARTS
        where.mkdir(parents=True, exist_ok=True)
        tail = "" if alone else f"-{world.rank:05d}"
        mine = {name: Journal(where / f"{name}{tail}.jsonl", shape) for name, shape in SHAPES.items()}
        self.questions, self.timings, self.failures, self.sources = mine.values()
        before = {name: [] if alone else read_lines(folder / f"{name}.jsonl", SHAPES[name])[0] for name in SHAPES}
        self._gathered = before["questions"]
        self._others = (
            []
            if alone
            else [_Tail(where / f"questions-{rank:05d}.jsonl") for rank in range(world.size) if rank != world.rank]
        )
        self.answered = {line["id"] for line in [*self._gathered, *self.questions.lines]}
        self.timed = {line["id"] for line in [*before["timings"], *self.timings.lines]}
        self.known = {line["id"] for line in [*before["sources"], *self.sources.lines]}
        self.failed = {line["id"]: line["error"] for line in self.failures.lines}

    def holds(self, identity: str) -> bool:
        """Says whether a question is answered, and what it took is known."""
        return identity in self.answered and identity in self.timed

    def everyone(self) -> list[dict[str, Any]]:
        """Returns the question lines of all processes so far."""
        lines = [*self._gathered, *self.questions.lines]
        for other in self._others:
            lines += other.lines()
        return lines

    def watch(self, source: dict[str, Any]) -> None:
        """Writes down what a video's file was like when it was looked at, before the first answer about it."""
        if source["id"] not in self.known:
            self.sources.append(source)
            self.known.add(source["id"])

    def answer(self, question: dict[str, Any], timing: dict[str, Any]) -> None:
        """Writes an answer down, its timing first, so that no answer is without one."""
        if timing["id"] not in self.timed:
            self.timings.append(timing)
            self.timed.add(timing["id"])
        if question["id"] not in self.answered:
            self.questions.append(question)
            self.answered.add(question["id"])

    def sort(self, order: Sequence[str]) -> None:
        """Puts the question lines into this order of their ids; ids that it does not hold come last, as they stood.

        So neither the number of processes nor a kill shows in the file.
        """
        place = {identity: number for number, identity in enumerate(order)}
        lines = sorted(self.questions.lines, key=lambda line: place.get(line["id"], len(place)))
        if lines != self.questions.lines:
            self.questions.replace(lines)

    def fail(self, identity: str, video: str, error: str) -> None:
        """Records that a question could not be answered; a later run tries again."""
        if identity not in self.failures.ids:
            self.failures.append({"id": identity, "video": video, "error": error})
        self.failed[identity] = error


class _Tail:
    """The lines that another process appends, read as they come."""

    def __init__(self, path: Path) -> None:
        self.path, self._at, self._lines = path, 0, list[dict[str, Any]]()

    def lines(self) -> list[dict[str, Any]]:
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self._at)
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._lines += [json.loads(line) for line in data[:whole].splitlines()]
            self._at += whole
        return self._lines
