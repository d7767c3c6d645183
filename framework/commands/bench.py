"""`sieve bench`: runs what conf/what names, prints the table and keeps it. Knows no bench."""

from __future__ import annotations

import csv
import json
import platform
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from framework.config.build import build
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.profiling.base import Bench, Row
from framework.report.console import console


def run(cfg: DictConfig) -> Path:
    """Measures, prints the table, and writes bench.csv and bench.json. Returns their folder.

    What is measured so far is on disk at any time. Raises UsageError where `what` is empty or `threads` is wrong.
    """
    if not cfg.get("what"):
        there = ", ".join(f"what={name}" for name in options("what"))
        raise UsageError(f"what: got nothing to measure, expected one of {there}")
    if cfg.threads is not None and not (isinstance(cfg.threads, int) and cfg.threads >= 1):
        raise UsageError(f"threads: got {cfg.threads!r}, expected a whole number >= 1, or null for torch's own choice")
    bench = build(cfg.what, Bench, "what")  # type: ignore[type-abstract]
    before = torch.get_num_threads()
    torch.set_num_threads(cfg.threads or before)
    folder, rows, terminal = Path(cfg.folder), list[Row](), console(stderr=True)
    try:
        for row in bench.rows():
            rows.append(row)
            if cfg.progress:
                terminal.print("  ".join(f"{key} {value}" for key, value in row.items()), soft_wrap=True)
            _write(folder, rows, cfg)
    finally:
        torch.set_num_threads(before)
    out = console()
    out.print(_table(rows))
    out.print(f"{_machine(cfg)['processor']}, {cfg.threads or before} threads, torch {torch.__version__}")
    out.print(f"table     {folder / 'bench.csv'} and bench.json", soft_wrap=True)
    return folder


def _write(folder: Path, rows: list[Row], cfg: DictConfig) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "bench.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    told = {"machine": _machine(cfg), "what": OmegaConf.to_container(cfg.what, resolve=True), "rows": rows}
    (folder / "bench.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _machine(cfg: DictConfig) -> dict[str, str | int]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "processor": gpu or platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _table(rows: list[Row]) -> Table:
    table = Table()
    for key, value in rows[0].items():
        table.add_column(key, justify="left" if isinstance(value, str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table
