"""The table of a sweep: what it says, in a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from framework.commands.table import show
from framework.evaluation.comparison import versus
from framework.evaluation.sweep import Row, SweepRun
from framework.report.sweep import sheet, write

SUMMARY: dict[str, Any] = {
    "accuracy": 0.75,
    "accuracy_interval": [0.5, 1.0],
    "n": 4,
    "videos": 2,
    "groups_visited_share": 0.5,
    "tokens_kept_mean": 31.96,
    "tokens_seen": 200.0,
    "evidence_found": None,
    "failed": 0,
    "seconds_per_question": 0.126,
}


def rows() -> list[Row]:
    """A reference, a run that is worse, one that failed, one with other questions."""
    lines = [
        [{"correct": score, "parsed": "A", "answer": "A"} for score in right] for right in ((1, 1, 1, 0), (0, 0, 1, 0))
    ]
    against = versus(lines[1], lines[0], ["a", "a", "b", "b"])
    choices = [{"preset": "p", "budget": str(budget)} for budget in (8, 16, 32, 64)]
    runs = [SweepRun(n, chosen, Path(f"runs/run{n}")) for n, chosen in enumerate(choices)]
    failed = replace(runs[2], failure="budget [x]: too much", status=2)
    alone = {**SUMMARY, "accuracy_interval": [None, None]}
    return [Row(runs[0], SUMMARY), Row(runs[1], SUMMARY, against, 3), Row(failed, {}), Row(runs[3], alone)]


def test_a_row_says_what_was_varied_and_what_came_out() -> None:
    made = sheet(rows())
    assert made.columns[0] == "budget" and "preset" not in made.columns and made.texts == 1
    first, second, failed, alone = (dict(zip(made.columns, row, strict=True)) for row in made.rows)
    assert first["accuracy [95 %]"] == "0.750 [0.500, 1.000]" and first["difference [95 %]"] == "–"
    assert (first["groups"], first["kept"], first["s/question"], first["run"]) == ("50%", "32.0", "0.13", "run0")
    assert second["difference [95 %]"].startswith("-0.500 [") and second["p"] == "0.500"
    assert failed["accuracy [95 %]"] == "failed" and failed["n"] == "" and failed["run"] == "run2"
    assert alone["accuracy [95 %]"] == "0.750" and alone["difference [95 %]"] == "–" and alone["p"] == ""
    notes = "\n".join(made.notes)
    assert "McNemar" in notes and "budget=32: budget [x]: too much" in notes
    assert "budget=16: compared on 3 common questions of 4" in notes


def test_no_figure_is_cut_off_however_narrow_the_paper(tmp_path: Path) -> None:
    for width in (90, 120):
        out = Console(file=io.StringIO(), width=width, force_terminal=width == 90, color_system=None)
        show(out, rows())
        text = out.file.getvalue()  # type: ignore[attr-defined]
        assert "…" not in text
        for word in (
            ("0.750", "-0.500", "run2", "failed") if width == 90 else ("0.750 [0.500, 1.000]", "budget [x]: too much")
        ):
            assert word in text


def test_files_hold_the_table(tmp_path: Path) -> None:
    markdown, table = write(rows(), tmp_path / "tables", "budget")
    assert markdown.stem == table.stem and markdown.stem.startswith("budget-")
    assert "| 8 | 0.750 [0.500, 1.000] | 4 |" in markdown.read_text()
    with open(table, newline="") as file:
        first, second, failed, _ = csv.DictReader(file)
    assert first["accuracy"] == "0.75" and first["difference"] == "" and first["evidence_found"] == ""
    assert second["difference"] == "-0.5" and second["test"] == "McNemar" and second["paired"] == "3"
    assert failed["failure"] == "budget [x]: too much" and failed["accuracy"] == ""
    others = write(rows()[:2], tmp_path / "tables", "budget")
    assert others[0] != markdown and markdown.exists()  # another sweep, another file
    assert write(rows(), tmp_path / "tables", "budget") == [markdown, table]
