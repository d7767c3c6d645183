"""`sieve compare`: which differences between runs are real. Reads run folders, prints tables, writes files."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from framework.commands.entries.results import COMPARE
from framework.core.errors import UsageError
from framework.evaluation.comparison import Comparison, compare
from framework.evaluation.runs import Run, find, load
from framework.report.comparison import sheets
from framework.report.comparison_files import write
from framework.report.comparison_picture import draw
from framework.report.console import console as terminal
from framework.report.tables import Sheet, as_table

OUT = Path("outputs/compare")
ROWS = 40  # of a table that are printed; the files hold all


class _Parser(argparse.ArgumentParser):
    """Wrong use is a UsageError, like everywhere."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `sieve {COMPARE.name} --help` lists the options")


def run(words: Sequence[str]) -> Comparison:
    """Compares the runs that the words name. What is printed is also in the output folder."""
    parser = _Parser(prog=f"sieve {COMPARE.name}", add_help=False, allow_abbrev=False)
    parser.add_argument("runs", nargs="*")
    for flag in COMPARE.flags:
        parser.add_argument(flag.name, default=flag.default, type=type(flag.default))
    given = parser.parse_args(list(words))
    if not given.runs:
        raise UsageError("got no run folder, expected at least two, such as: sieve compare outputs/needle/*")
    if given.resamples < 100:
        raise UsageError(f"--resamples must be at least 100, got {given.resamples}")
    runs, unread = _loaded(given.runs)
    with terminal(stderr=True).status(f"comparing {len(runs)} runs"):
        comparison = compare(runs, given.reference, given.resamples, given.seed)
    comparison = replace(comparison, warnings=(*unread, *comparison.warnings))
    folder = Path(given.out) if given.out else OUT / _identity(runs, words)
    write(folder, comparison, f"{len(runs)} runs compared")
    draw(folder / "comparison.png", comparison)
    show(terminal(), comparison)
    terminal().print(f"results   {folder}", soft_wrap=True)
    return comparison


def _loaded(words: Sequence[str]) -> tuple[list[Run], list[str]]:
    """The runs, and which of a whole folder cannot be read; a run typed by itself that cannot be read is an error."""
    found = find(words)
    runs, unread = [], []
    for name, folder in found:
        try:
            runs.append(load(folder, name))
        except UsageError as error:
            if any(word.endswith(str(folder)) for word in words):
                raise
            unread.append(f"left out: {error}")
    if not runs:
        raise UsageError("; ".join(unread))
    return runs, unread


def _identity(runs: Sequence[Run], words: Sequence[str]) -> str:
    """Ten characters for these runs, compared in this way."""
    who = [f"{run.benchmark}/{run.id or run.folder.resolve()}" for run in runs]
    how = [word for word in words if word.startswith("--")]
    return hashlib.sha256("\n".join([*who, *how]).encode()).hexdigest()[:10]


def show(out: Console, comparison: Comparison) -> None:
    """Prints warnings first, then every table. Long tables are shortened."""
    for warning in comparison.warnings:
        out.print(Text.assemble(("!", "yellow"), f" {warning}"))
    for sheet in sheets(comparison):
        out.print(as_table(_shortened(sheet)))


def _shortened(sheet: Sheet) -> Sheet:
    left = len(sheet.rows) - ROWS
    if left <= 0:
        return sheet
    return replace(sheet, rows=sheet.rows[:ROWS], notes=(*sheet.notes, f"{left} more rows in comparison.md"))
