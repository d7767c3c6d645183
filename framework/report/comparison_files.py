"""A comparison as files: CSV for programs, Markdown for papers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from framework.config.identity import whole
from framework.evaluation.comparison import Comparison, Row
from framework.evaluation.statistics import Interval
from framework.report.comparison import sheets
from framework.report.tables import as_markdown


def write(folder: Path, comparison: Comparison, heading: str) -> None:
    """Writes comparison.md and the CSV files into `folder`. Figures in the CSV files have six significant digits."""
    folder.mkdir(parents=True, exist_ok=True)
    _csv(folder / "comparison.csv", [_row(row) for row in comparison.rows])
    _csv(folder / "strata.csv", [_row(row) for row in comparison.strata])
    _csv(folder / "signals.csv", _signals(comparison))
    _csv(folder / "calibration.csv", _calibration(comparison))
    _csv(folder / "differences.csv", [asdict(difference) for difference in comparison.differences])
    whole(folder / "comparison.md", markdown(comparison, heading))


def markdown(comparison: Comparison, heading: str) -> str:
    """Renders all tables as Markdown under a heading. The warnings come first."""
    warnings = "".join(f"- {warning}\n" for warning in comparison.warnings)
    return "\n".join([f"# {heading}\n", *([warnings] if warnings else []), *map(as_markdown, sheets(comparison))])


def _row(row: Row) -> dict[str, Any]:
    plain = {name: value for name, value in vars(row).items() if not isinstance(value, Interval) and name != "versus"}
    found = {**plain, **_interval("accuracy", row.accuracy)}
    versus = row.versus
    if versus is None:
        return found
    others = {name: value for name, value in vars(versus).items() if name != "difference"}
    return {**found, **_interval("difference", versus.difference), **others}


def _interval(name: str, interval: Interval) -> dict[str, Any]:
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _signals(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "benchmark": benchmark,
            "run": run,
            **{name: value for name, value in vars(one).items() if name != "auroc"},
            **_interval("auroc", one.auroc),
        }
        for benchmark, run, one in comparison.signals
    ]


def _calibration(comparison: Comparison) -> list[dict[str, Any]]:
    """One line per bin; the figures of the whole stand on a line of their own, without edges."""
    rows: list[dict[str, Any]] = []
    for benchmark, run, c in comparison.calibrations:
        who = {"benchmark": benchmark, "run": run}
        whole_run = {"bin_low": 0.0, "bin_high": 1.0, "n": c.n, "confidence": c.confidence, "accuracy": c.accuracy}
        errors = {"error": c.error, "error_if_calibrated": c.consistent}
        rows.append({**who, "of": "all", **whole_run, **errors, **_interval("brier", c.brier)})
        rows += [
            {
                **who,
                "of": "bin",
                "bin_low": one.low,
                "bin_high": one.high,
                "n": one.n,
                "confidence": one.confidence,
                **_interval("accuracy", one.accuracy),
            }
            for one in c.bins
        ]
    return rows


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """All columns that any row has; empty where a row has none."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({column: _plain(value) for column, value in row.items()} for row in rows)


def _plain(value: Any) -> Any:
    """Six significant digits; nothing where a figure is not defined."""
    if isinstance(value, float):
        return "" if value != value else float(f"{value:.6g}")
    return "" if value is None else value
