"""The table that a sweep ends with, for people and programs. Its figures come from framework/evaluation/sweep.py."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framework.config.identity import whole
from framework.evaluation.extremes import extreme
from framework.evaluation.statistics import Interval
from framework.evaluation.sweep import MEANS, SEED, Cell, Row, varying_keys
from framework.evaluation.versus import Versus
from framework.report.comparison import EVIDENCE, MCNEMAR, NONE, P, evidence, mcnemar, number, probability
from framework.report.tables import Sheet, as_markdown

FIGURES = ("accuracy [95 %]", "n", "difference [95 %]", "p", "p Holm", "McNemar", "groups", "kept", "s/question")
SHARES = "evidence"  # a column where it is known
RUN, SEEDS = "run", "seeds"  # the last column
PLAIN = ("n", "videos", "failed", *MEANS)
OF_RUN, OF_SEEDS = "run", "seeds"  # what a line of the CSV file is about


def sheet(rows: Sequence[Row]) -> Sheet:
    """Builds one row per choice: what was varied, accuracy, the difference to the first row, what it cost.

    Runs that differ in their seed alone are one row. How many answered is then the last column, else the run's folder.
    """
    keys = varying_keys([row.choices for row in rows])
    replicated, known = any(row.replicated for row in rows), _evidence_known(rows)
    return Sheet(
        "accuracy with its 95 % interval (bootstrap over videos), and the paired difference to the first row",
        (*keys, *FIGURES, *[SHARES] * known, SEEDS if replicated else RUN),
        tuple(
            (*[row.choices.get(key, "") for key in keys], *_figures(row), *[_shares(row)] * known, _last(row))
            for row in rows
        ),
        texts=len(keys),
        notes=(*_table_notes(rows), *_row_notes(rows, keys)),
    )


def _evidence_known(rows: Sequence[Row]) -> bool:
    return any(row.summary.get("evidence_found") is not None for row in rows)


def _shares(row: Row) -> str:
    return evidence(row.summary.get("evidence_found"), row.summary.get("evidence_kept")) if row.summary else ""


def _last(row: Row) -> str:
    if not row.replicated:
        return row.cells[0].run.folder.name
    answered = sum(bool(cell.summary) for cell in row.cells)
    return str(answered) if answered == len(row.cells) else f"{answered} of {len(row.cells)}"


def _table_notes(rows: Sequence[Row]) -> list[str]:
    """What must be known to read the table rightly."""
    compared = [row.versus for row in rows if row.versus]
    notes = [
        f"{P}; p Holm: corrected over {len(compared)} comparison{'s' * (len(compared) > 1)}; {MCNEMAR}"
        if compared
        else "one row: no p"
    ]
    if seeds := list(dict.fromkeys(cell.seed for row in rows if row.replicated for cell in row.cells)):
        notes.append(
            f"means over seeds {', '.join(seeds)}, each paired with the first row's run of the same seed; a video is "
            "drawn, and its differences change sign, with all its seeds (videos made from the seed are its own)"
        )
    answered = [row for row in rows if row.accuracy]
    notes += [EVIDENCE] if _evidence_known(rows) else []
    if answered:
        accuracies = [row.accuracy for row in answered if row.accuracy]
        notes.append(extreme(accuracies, answered[0].chance, [one.p_videos_holm for one in compared]))
    return [note for note in notes if note]


def _row_notes(rows: Sequence[Row], keys: Sequence[str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for row in rows:
        for note in _notes(row):
            found.setdefault(note, []).append(name(row, keys))
    return [f"{', '.join(names)}: {note}" for note, names in found.items()]


def _notes(row: Row) -> list[str]:
    """What must be known of a row to read it rightly."""
    notes = [
        f"seed {cell.seed}: {cell.run.failure}" if row.replicated else cell.run.failure
        for cell in row.cells
        if cell.run.failure
    ]
    if row.versus and row.versus.note:
        notes.append(row.versus.note)
    if row.versus and row.paired < row.summary["n"]:
        notes.append(f"compared on {row.paired} common questions of {row.summary['n']}")
    return notes


def name(row: Row, keys: Sequence[str]) -> str:
    """Returns what to call a row in a note."""
    return ", ".join(f"{key}={row.choices.get(key, '')}" for key in keys) or row.cells[0].run.folder.name


def _figures(row: Row) -> tuple[str, ...]:
    summary, v, accuracy = row.summary, row.versus, row.accuracy
    if accuracy is None:
        failed = any(cell.run.failure for cell in row.cells)
        return ("failed" if failed else "no answer", *[""] * (len(FIGURES) - 1))
    flips = (NONE, "", "", "")
    if v is not None:
        flips = (
            _interval(v.difference, "+.3f"),
            probability(v.p_videos),
            probability(v.p_videos_holm),
            mcnemar(v.p_mcnemar),
        )
    return (
        _interval(accuracy, ".3f"),
        str(summary["n"]),
        *flips,
        f"{summary['groups_visited_share']:.0%}",
        f"{summary['tokens_kept_mean']:.1f}",
        number(summary["seconds_per_question"], ".2f"),
    )


def _interval(found: Interval, shape: str) -> str:
    bounds = "" if math.isnan(found.low) else f" [{found.low:{shape}}, {found.high:{shape}}]"
    return f"{found.value:{shape}}{bounds}"


def write(rows: Sequence[Row], folder: Path, title: str) -> list[Path]:
    """Writes the table as Markdown and, with six decimals, as CSV; returns both files.

    They are named after the title and the runs in them.
    """
    runs = hashlib.sha256(" ".join(cell.run.folder.name for row in rows for cell in row.cells).encode()).hexdigest()[:6]
    stem = folder / f"{title or 'sweep'}-{runs}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [stem.with_suffix(".md"), stem.with_suffix(".csv")]
    whole(files[0], as_markdown(sheet(rows), level=1))
    whole(files[1], _csv(rows))
    return files


def _csv(rows: Sequence[Row]) -> str:
    """A line per run. Where seeds were varied, a line for all runs of a row comes before theirs."""
    lines = []
    for row in rows:
        if row.replicated:
            seeds = {SEED: " ".join(cell.seed for cell in row.cells if cell.summary), "run": "", "failure": ""}
            figures = {**_bounds("accuracy", row.accuracy), **row.summary} if row.accuracy else {}
            lines.append({"of": OF_SEEDS, **row.choices, **seeds, **figures, **_against(row.versus, row.paired)})
        lines += [_run(cell, row.versus if not row.replicated else cell.versus, row.replicated) for cell in row.cells]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows({key: _rounded(value) for key, value in line.items()} for line in lines)
    return text.getvalue()


def _run(cell: Cell, against: Versus | None, replicated: bool) -> dict[str, Any]:
    """One run. Its p-value stands uncorrected where the table's row is that of all seeds."""
    run, summary = cell.run, cell.summary
    found: dict[str, Any] = {"of": OF_RUN, **run.choices, "run": run.folder.name, "failure": run.failure}
    if summary:
        low, high = summary["accuracy_interval"]
        found |= {"accuracy": summary["accuracy"], "accuracy_low": low, "accuracy_high": high}
        found |= {key: summary.get(key) for key in PLAIN}
    found |= _against(against, cell.paired)
    return {**found, "p_videos_holm": None} if replicated and against else found


def _against(against: Versus | None, paired: int) -> dict[str, Any]:
    if against is None:
        return {}
    figures = ("p_videos", "p_videos_holm", "p_mcnemar", "detectable", "note")
    difference = {**_bounds("difference", against.difference), "paired": paired}
    return difference | {key: getattr(against, key) for key in figures}


def _bounds(key: str, found: Interval) -> dict[str, Any]:
    return {key: found.value, f"{key}_low": found.low, f"{key}_high": found.high}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else round(value, 6)
    return "" if value is None else value
