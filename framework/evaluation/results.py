"""What a run has on disk so far: questions, timings and failures, of one process or of several.

One process writes the files themselves. Several write parts of their own under parts/, which the first one gathers, at
the beginning (what an earlier run left) and at the end. Gathering may be interrupted and repeated: a line counts once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from framework.evaluation.distributed import World
from framework.evaluation.journal import Journal

NAMES = ("questions", "timings", "failures")
PARTS = "parts"


def gather(folder: Path) -> None:
    """Moves the lines of all parts into the files of the run.

    Of several lines about one question the first stays.
    """
    for name in NAMES:
        parts = sorted((folder / PARTS).glob(f"{name}-*.jsonl"))
        if not parts:
            continue
        journal = Journal(folder / f"{name}.jsonl")
        known = journal.ids
        for part in parts:
            new = [line for line in Journal(part).lines if line["id"] not in known]
            journal.extend(new)
            known |= {line["id"] for line in new}
            part.unlink()
    if (folder / PARTS).is_dir() and not any((folder / PARTS).iterdir()):
        (folder / PARTS).rmdir()


class Results:
    """Holds the three journals of this process, and what all processes have written."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        alone = world.size == 1
        where = folder if alone else folder / PARTS
        where.mkdir(parents=True, exist_ok=True)
        tail = ".jsonl" if alone else f"-{world.rank:05d}.jsonl"
        self.questions, self.timings, self.failures = (Journal(where / f"{name}{tail}") for name in NAMES)
        self._gathered = [] if alone else Journal(folder / "questions.jsonl").lines
        self._others = (
            []
            if alone
            else [_Tail(where / f"questions-{rank:05d}.jsonl") for rank in range(world.size) if rank != world.rank]
        )
        self.answered = {line["id"]: line["prompt"] for line in [*self._gathered, *self.questions.lines]}
        self.failed = {line["id"]: line["error"] for line in self.failures.lines}

    def everyone(self) -> list[dict[str, Any]]:
        """Returns the question lines of all processes so far."""
        lines = [*self._gathered, *self.questions.lines]
        for other in self._others:
            lines += other.lines()
        return lines

    def answer(self, question: dict[str, Any], timing: dict[str, Any]) -> None:
        """Writes an answer down, its timing first, so that no answer is without one."""
        if question["id"] in self.answered:
            return
        if question["id"] not in self.timings.ids:
            self.timings.append(timing)
        self.questions.append(question)
        self.answered[question["id"]] = question["prompt"]

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
