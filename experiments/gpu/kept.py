"""What was measured so far, in one JSON file: a step that is there is not run again, and none begins too late."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.config.identity import whole

Found = dict[str, Any]  # column -> number or text


@dataclass
class Kept:
    """Holds the results of steps by name, on disk at any time.

    `told` says on what they were measured; results of another plan or machine are never mixed in. `minutes`: no step
    begins later.
    """

    file: Path
    told: Mapping[str, Any]
    minutes: float
    steps: dict[str, Found] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)  # steps for which no time was left
    _start: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        if not self.file.is_file():
            return
        before = json.loads(self.file.read_text(encoding="utf-8"))
        other = [key for key, value in self.told.items() if before["told"].get(key) != value]
        if other:
            was = ", ".join(f"{key} {before['told'].get(key)!r} and not {self.told[key]!r}" for key in other)
            raise SystemExit(f"{self.file} was measured with {was}: give another folder=, or remove that file")
        self.steps = before["steps"]

    def run(self, name: str, step: Callable[[], Found]) -> Found | None:
        """Runs a step unless its result is there, and keeps it. Returns None where no time was left for it."""
        if name in self.steps:
            return self.steps[name]
        if time.perf_counter() - self._start > 60 * self.minutes:
            self.left.append(name)
            return None
        found = step()
        self.steps[name] = found
        self.file.parent.mkdir(parents=True, exist_ok=True)
        whole(self.file, json.dumps({"told": self.told, "steps": self.steps}, indent=1) + "\n")
        print(f"{name}: " + "  ".join(f"{key} {value}" for key, value in found.items()), flush=True)
        return found

    def wants(self, names: Sequence[str]) -> bool:
        """Says whether one of these steps is still to run, and may begin."""
        late = time.perf_counter() - self._start > 60 * self.minutes
        missing = [name for name in names if name not in self.steps]
        if late:
            self.left += missing
        return bool(missing) and not late
