"""The runs of a sweep: what was chosen, what came out, how each compares with the first one.

A run leaves a small file with what became of it, so that whoever started the sweep sees it wherever the run ran. Runs
that differ in nothing but their seed are replicates, and one row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from framework.config.identity import whole
from framework.evaluation.extremes import chance
from framework.evaluation.runs import Line, load
from framework.evaluation.statistics import Interval, mean_interval
from framework.evaluation.versus import Versus, correct, versus

SEED = "seed"  # the key whose values are replicates
MEANS = (
    *("groups_visited_share", "tokens_kept_mean", "tokens_seen"),
    *("evidence_found", "evidence_kept", "seconds_per_question"),
)


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


def varying_keys(choices: Sequence[Mapping[str, str]]) -> list[str]:
    """Returns the keys in which choices differ, in the order in which they were typed."""
    keys = dict.fromkeys(key for one in choices for key in one)
    return [key for key in keys if len({one.get(key) for one in choices}) > 1]


@dataclass(frozen=True)
class Cell:
    """Holds one run with its figures."""

    run: SweepRun
    summary: Mapping[str, Any]  # summary.json; empty: it failed or answered nothing
    versus: Versus | None = None  # the reference's run of the same seed; not corrected
    paired: int = 0  # common questions

    @property
    def seed(self) -> str:
        """Returns the seed that the run was given, empty where none was."""
        return next((value for key, value in self.run.choices.items() if _plain(key) == SEED), "")


@dataclass(frozen=True)
class Row:
    """Holds the runs that differ in their seed alone, or one run where seeds were not varied, and common figures."""

    choices: Mapping[str, str]  # as of its runs; without the seed, where seeds were varied
    cells: tuple[Cell, ...]  # in the order of the runs, each seed once
    replicated: bool = False  # seeds were varied
    accuracy: Interval | None = None  # over the questions of all seeds; None: nothing was answered
    summary: Mapping[str, Any] = field(default_factory=dict)  # sums and means over all seeds; empty as well
    chance: float = math.nan  # accuracy of a guess
    versus: Versus | None = None  # the first row that answered; None: this is it, or no question is common
    paired: int = 0  # common questions, of all seeds


def compare(runs: Sequence[SweepRun]) -> list[Row]:
    """Compares every row of runs with the first one that answered anything, on the questions that both answered.

    Rows stand in the order in which their first run was started. Where seeds were varied, a run is paired with the
    reference's run of the same seed. All seeds together are then one comparison: a video is drawn, and its differences
    change sign, with all its seeds. Videos that were made from the seed have names of their own, so there each seed
    adds videos. Holm's correction is over all rows.
    """
    rows = _grouped(runs)
    lines = {run.folder: load(run.folder).lines for row in rows for run in _answered(row)}
    reference = next((row for row in rows if _answered(row)), None)
    if reference is None:
        return rows
    theirs = {cell.seed: lines[cell.run.folder] for cell in reference.cells if cell.summary}
    rows = [_figured(row, lines, {} if row is reference else theirs) for row in rows]
    family = iter(correct([row.versus for row in rows if row.versus]))
    return [replace(row, versus=next(family)) if row.versus else row for row in rows]


def _grouped(runs: Sequence[SweepRun]) -> list[Row]:
    """One row per run, or per choice of everything but the seed where seeds were varied."""
    cells = [Cell(run, _summary(run)) for run in runs]
    if len({cell.seed for cell in cells}) < 2:
        return [Row(cell.run.choices, (cell,)) for cell in cells]
    groups: dict[tuple[tuple[str, str], ...], dict[str, Cell]] = {}
    for cell in cells:
        rest = tuple((key, value) for key, value in cell.run.choices.items() if _plain(key) != SEED)
        groups.setdefault(rest, {}).setdefault(cell.seed, cell)
    return [Row(dict(rest), tuple(seeds.values()), replicated=True) for rest, seeds in groups.items()]


def _figured(row: Row, lines: Mapping[Path, Mapping[str, Line]], theirs: Mapping[str, Mapping[str, Line]]) -> Row:
    """The row with its figures, compared with the reference's lines of each seed."""
    answered = [lines[run.folder] for run in _answered(row)]
    mine = [line for one in answered for line in one.values()]
    if not mine:
        return row
    pairs: list[tuple[Line, Line]] = []
    cells = []
    for cell in row.cells:
        ours, other = lines.get(cell.run.folder, {}), theirs.get(cell.seed, {})
        common = [(ours[name], other[name]) for name in other if name in ours]
        cells.append(replace(cell, versus=_versus(common), paired=len(common)))
        pairs += common
    return replace(
        row,
        cells=tuple(cells),
        accuracy=mean_interval([line["correct"] for line in mine], [str(line["video"]) for line in mine]),
        summary=_together([cell.summary for cell in cells if cell.summary], mine),
        chance=chance(mine),
        versus=_versus(pairs),
        paired=len(pairs),
    )


def _versus(pairs: Sequence[tuple[Line, Line]]) -> Versus | None:
    if not pairs:
        return None
    ours, theirs = zip(*pairs, strict=True)
    return versus(ours, theirs, [str(line["video"]) for line in theirs])


def _together(summaries: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> dict[str, Any]:
    """Counts are sums; the other figures are means over questions, of the seeds that have them."""
    found: dict[str, Any] = {"n": sum(one["n"] for one in summaries), "videos": len({line["video"] for line in lines})}
    found["failed"] = sum(one.get("failed", 0) for one in summaries)
    for key in MEANS:
        known = [(one[key], one["n"]) for one in summaries if one.get(key) is not None]
        found[key] = sum(value * n for value, n in known) / sum(n for _, n in known) if known else None
    return found


def _answered(row: Row) -> list[SweepRun]:
    return [cell.run for cell in row.cells if cell.summary]


def _plain(key: str) -> str:
    """A key without Hydra's signs for adding."""
    return key.lstrip("+")


def _summary(run: SweepRun) -> dict[str, Any]:
    """What the run has on disk, even where it went wrong in the end."""
    file = run.folder / "summary.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if found.get("n") else {}
