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
from framework.evaluation.sweep import Row, varying_keys
from framework.report.comparison import NONE, probability
from framework.report.tables import Sheet, as_markdown

FIGURES = ("accuracy [95 %]", "n", "difference [95 %]", "p", "p Holm", "groups", "kept", "s/question", "run")
PLAIN: tuple[str, ...] = (
    "accuracy",
    "n",
    "videos",
    "groups_visited_share",
    "tokens_kept_mean",
    "tokens_seen",
    "evidence_found",
)
PLAIN += ("failed", "seconds_per_question")


def sheet(rows: Sequence[Row]) -> Sheet:
    """Builds one row per run: what was varied, accuracy, the difference to the first run, what it cost."""
    keys = varying_keys([row.run for row in rows])
    notes: dict[str, list[str]] = {}
    for row in rows:
        for note in _notes(row):
            notes.setdefault(note, []).append(name(row, keys))
    return Sheet(
        "accuracy with its 95 % interval (bootstrap over videos), and the paired difference to the first row",
        (*keys, *FIGURES),
        tuple((*(row.run.choices.get(key, "") for key in keys), *_figures(row), row.run.folder.name) for row in rows),
        texts=len(keys),
        notes=(
            f"p: {tests(rows)}; Holm: corrected for all rows of the table",
            *(f"{', '.join(names)}: {note}" for note, names in notes.items()),
        ),
    )


def _notes(row: Row) -> list[str]:
    """What must be known of a run to read its row rightly."""
    notes = [row.run.failure] if row.run.failure else []
    if row.versus and row.versus.note:
        notes.append(row.versus.note)
    if row.versus and row.paired < row.summary["n"]:
        notes.append(f"compared on {row.paired} common questions of {row.summary['n']}")
    return notes


def tests(rows: Sequence[Row]) -> str:
    """Names the tests that the p-values come from."""
    return " and ".join(sorted({row.versus.test for row in rows if row.versus})) or "nothing to compare"


def name(row: Row, keys: Sequence[str]) -> str:
    """Returns what to call a run in a note."""
    return ", ".join(f"{key}={row.run.choices.get(key, '')}" for key in keys) or row.run.folder.name


def _figures(row: Row) -> tuple[str, ...]:
    summary, v = row.summary, row.versus
    if not summary:
        return ("failed" if row.run.failure else "no answer", *[""] * (len(FIGURES) - 2))
    low, high = summary["accuracy_interval"]
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    difference, p, holm = "", "", ""
    if v is not None:
        d = v.difference
        bounds = "" if math.isnan(d.low) else f" [{d.low:+.3f}, {d.high:+.3f}]"
        difference, p, holm = f"{d.value:+.3f}{bounds}", probability(v.p), probability(v.p_holm)
    return (
        f"{summary['accuracy']:.3f}{interval}",
        str(summary["n"]),
        difference or NONE,
        p,
        holm,
        f"{summary['groups_visited_share']:.0%}",
        f"{summary['tokens_kept_mean']:.1f}",
        f"{summary['seconds_per_question']:.2f}",
    )


def write(rows: Sequence[Row], folder: Path, title: str) -> list[Path]:
    """Writes the table as Markdown and, with six decimals, as CSV; returns both files.

    They are named after the title and the runs in them.
    """
    runs = hashlib.sha256(" ".join(row.run.folder.name for row in rows).encode()).hexdigest()[:6]
    stem = folder / f"{title or 'sweep'}-{runs}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [stem.with_suffix(".md"), stem.with_suffix(".csv")]
    whole(files[0], as_markdown(sheet(rows), level=1))
    whole(files[1], _csv(rows))
    return files


def _csv(rows: Sequence[Row]) -> str:
    lines = [_plain(row) for row in rows]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()


def _plain(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {**row.run.choices, "run": row.run.folder.name, "failure": row.run.failure}
    if row.summary:
        found |= {key: row.summary[key] for key in PLAIN}
        found["accuracy_low"], found["accuracy_high"] = row.summary["accuracy_interval"]
    if row.versus:
        d = row.versus.difference
        found |= {"difference": d.value, "difference_low": d.low, "difference_high": d.high, "paired": row.paired}
        found |= {key: getattr(row.versus, key) for key in ("test", "p", "p_videos", "p_holm", "detectable", "note")}
    return {key: _rounded(value) for key, value in found.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else round(value, 6)
    return "" if value is None else value
