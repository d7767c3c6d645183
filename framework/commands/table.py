"""One table for all cells of a multirun. A Hydra callback: it sees every job end, and the sweep after the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.table import Table

from framework.report.console import console


class CellTable(Callback):
    """Collects the summaries of the cells and prints them side by side, with what differed between them."""

    def __init__(self) -> None:
        self.cells: list[tuple[dict[str, str], dict[str, Any] | None, str]] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Keep one cell: its overrides, its summary (None if it failed), its folder."""
        folder = Path(config.hydra.runtime.output_dir)
        file = folder / "summary.json"
        finished = job_return.status is JobStatus.COMPLETED and bool(job_return.return_value) and file.exists()
        summary = json.loads(file.read_text(encoding="utf-8")) if finished else None
        pairs = (override.partition("=") for override in job_return.overrides or [])
        self.cells.append(({key: value for key, _, value in pairs}, summary, folder.name))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print all cells."""
        if self.cells:
            console().print(table(self.cells))


def table(cells: list[tuple[dict[str, str], dict[str, Any] | None, str]]) -> Table:
    """One row per cell; columns for the overrides that differ."""
    keys = list(dict.fromkeys(key for overrides, _, _ in cells for key in overrides))
    varied = [key for key in keys if len({overrides.get(key) for overrides, _, _ in cells}) > 1]
    made = Table(title="accuracy with its 95 % interval (bootstrap over videos)", title_justify="left")
    for name in varied:
        made.add_column(name, no_wrap=True)
    for name in ("accuracy", "95 %", "n", "groups", "kept", "s/question", "run"):
        made.add_column(name, justify="right", no_wrap=True)
    for overrides, summary, run in cells:
        made.add_row(*(overrides.get(key, "") for key in varied), *_figures(summary), run)
    return made


def _figures(summary: dict[str, Any] | None) -> tuple[str, ...]:
    if summary is None or not summary["n"]:
        return ("failed", "", "", "", "", "")
    low, high = summary["accuracy_interval"]
    return (
        f"{summary['accuracy']:.3f}",
        f"{low:.3f} – {high:.3f}" if low is not None else "",
        str(summary["n"]),
        f"{summary['groups_visited_share']:.0%}",
        f"{summary['tokens_kept_mean']:.1f}",
        f"{summary['seconds_per_question']:.2f}",
    )
