"""The cells of a sweep: what was chosen, what came out, how each compares with the first one. Knows no terminal.

A cell leaves a small file with what became of it, so that whoever started the sweep sees it wherever the cell ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from framework.evaluation.comparison import Versus, corrected, versus
from framework.evaluation.runs import load
from framework.tracking import whole


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    number: int
    choices: Mapping[str, str]  # as typed or swept: key -> value
    folder: Path
    failure: str = ""  # empty: it went well
    status: int = 0  # exit status

    def keep(self, place: Path) -> None:
        """Write it down in the folder `place`."""
        place.mkdir(parents=True, exist_ok=True)
        whole(place / f"{self.number}.json", json.dumps(asdict(self), default=str))


def kept(place: Path) -> list[Cell]:
    """The cells that were written down in `place`, in their order."""
    read = [json.loads(file.read_text(encoding="utf-8")) for file in place.glob("*.json")]
    cells = [Cell(**{**fields, "folder": Path(fields["folder"])}) for fields in read]
    return sorted(cells, key=lambda cell: cell.number)


def varied(cells: Sequence[Cell]) -> list[str]:
    """The keys in which cells differ."""
    keys = dict.fromkeys(key for cell in cells for key in cell.choices)
    return [key for key in keys if len({cell.choices.get(key) for cell in cells}) > 1]


@dataclass(frozen=True)
class Row:
    """A cell with its figures."""

    cell: Cell
    summary: Mapping[str, Any]  # summary.json; empty: it failed or answered nothing
    versus: Versus | None = None  # the first cell that answered; None: this is it, or no question is common
    paired: int = 0  # common questions


def compared(cells: Sequence[Cell]) -> list[Row]:
    """Every cell against the first one that answered anything, on the questions that both answered; Holm over all."""
    rows = [Row(cell, _summary(cell)) for cell in cells]
    reference = next((row for row in rows if row.summary), None)
    theirs = load(reference.cell.folder).lines if reference else {}
    for place, row in enumerate(rows):
        if not row.summary or row is reference:
            continue
        ours = load(row.cell.folder).lines
        common = [name for name in theirs if name in ours]
        if common:
            videos = [str(theirs[name]["video"]) for name in common]
            found = versus([ours[name] for name in common], [theirs[name] for name in common], videos)
            rows[place] = replace(row, versus=found, paired=len(common))
    family = iter(corrected([row.versus for row in rows if row.versus]))
    return [replace(row, versus=next(family)) if row.versus else row for row in rows]


def _summary(cell: Cell) -> dict[str, Any]:
    """What the cell has on disk, even where it went wrong in the end."""
    file = cell.folder / "summary.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if found.get("n") else {}
