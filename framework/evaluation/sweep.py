"""The runs of a sweep: what was chosen, what came out, how each compares with the first one.

A run leaves a small file with what became of it, so that whoever started the sweep sees it wherever the run ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from framework.config.identity import whole
from framework.evaluation.comparison import Versus, correct, versus
from framework.evaluation.runs import load


@dataclass(frozen=True)
class SweepRun:
    """Describes one run of a sweep."""

    number: int
    choices: Mapping[str, str]  # as typed or swept: key -> value
    folder: Path
    failure: str = ""  # empty: it went well
    status: int = 0  # exit status

    def keep(self, place: Path) -> None:
        """Writes the run down in the folder `place`."""
        place.mkdir(parents=True, exist_ok=True)
        whole(place / f"{self.number}.json", json.dumps(asdict(self), default=str))


def read_runs(place: Path) -> list[SweepRun]:
    """Reads the runs that were written down in `place`, in their order."""
    read = [json.loads(file.read_text(encoding="utf-8")) for file in place.glob("*.json")]
    runs = [SweepRun(**{**fields, "folder": Path(fields["folder"])}) for fields in read]
    return sorted(runs, key=lambda run: run.number)


def varying_keys(runs: Sequence[SweepRun]) -> list[str]:
    """Returns the keys in which runs differ."""
    keys = dict.fromkeys(key for run in runs for key in run.choices)
    return [key for key in keys if len({run.choices.get(key) for run in runs}) > 1]


@dataclass(frozen=True)
class Row:
    """Holds a run with its figures."""

    run: SweepRun
    summary: Mapping[str, Any]  # summary.json; empty: it failed or answered nothing
    versus: Versus | None = None  # the first run that answered; None: this is it, or no question is common
    paired: int = 0  # common questions


def compare(runs: Sequence[SweepRun]) -> list[Row]:
    """Compares every run with the first one that answered anything, on the questions that both answered.

    Holm's correction is over all comparisons.
    """
    rows = [Row(run, _summary(run)) for run in runs]
    reference = next((row for row in rows if row.summary), None)
    theirs = load(reference.run.folder).lines if reference else {}
    for place, row in enumerate(rows):
        if not row.summary or row is reference:
            continue
        ours = load(row.run.folder).lines
        common = [name for name in theirs if name in ours]
        if common:
            videos = [str(theirs[name]["video"]) for name in common]
            found = versus([ours[name] for name in common], [theirs[name] for name in common], videos)
            rows[place] = replace(row, versus=found, paired=len(common))
    family = iter(correct([row.versus for row in rows if row.versus]))
    return [replace(row, versus=next(family)) if row.versus else row for row in rows]


def _summary(run: SweepRun) -> dict[str, Any]:
    """What the run has on disk, even where it went wrong in the end."""
    file = run.folder / "summary.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if found.get("n") else {}
