"""`sieve bench`: runs what conf/what names, prints the table and keeps it. Knows no bench."""

from __future__ import annotations

import csv
import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from framework.config.build import build
from framework.config.identity import versions
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.profiling.base import Bench, Row
from framework.report.console import console

CPU = Path("/proc/cpuinfo")


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
    told = {"machine": _machine(), "versions": versions(), "what": OmegaConf.to_container(cfg.what, resolve=True)}
    try:
        for row in bench.rows():
            rows.append(row)
            if cfg.progress:
                terminal.print("  ".join(f"{key} {value}" for key, value in row.items() if value != ""), soft_wrap=True)
            _write(folder, rows, told)
    finally:
        torch.set_num_threads(before)
    out = console()
    out.print(_table(rows))
    out.print(f"{_machine()['processor']}, {cfg.threads or before} threads, torch {torch.__version__}")
    out.print(f"table     {folder / 'bench.csv'} and bench.json", soft_wrap=True)
    return folder


def _write(folder: Path, rows: list[Row], told: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "bench.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "bench.json").write_text(json.dumps({**told, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _machine() -> dict[str, str | int]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "processor": gpu or _processor(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    """The processor's name where the system tells it, else its kind."""
    told = CPU.read_text(encoding="utf-8") if CPU.is_file() else ""
    named = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def _table(rows: list[Row]) -> Table:
    table = Table()
    for key, value in rows[0].items():
        table.add_column(key, justify="left" if isinstance(value, str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table
