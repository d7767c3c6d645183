"""The table of a sweep: what it says, in a terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

from rich.console import Console

from framework.commands.table import show
from framework.evaluation.statistics import Interval
from framework.evaluation.sweep import Cell, Row, SweepRun
from framework.evaluation.versus import Versus, versus
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
    return [
        row(runs[0], SUMMARY, accuracy=Interval(0.75, 0.5, 1.0)),
        row(runs[1], SUMMARY, against, 3, accuracy=Interval(0.75, 0.5, 1.0)),
        row(failed, {}),
        row(runs[3], alone, accuracy=Interval(0.75, nan, nan)),
    ]


def row(run: SweepRun, summary: dict[str, Any], against: Versus | None = None, paired: int = 0, **more: Any) -> Row:
    cell = Cell(run, summary, against, paired)
    return Row(run.choices, (cell,), summary=summary, versus=against, paired=paired, **more)


def replicated() -> list[Row]:
    """Two options with two seeds each, of which one run failed."""
    one, two = rows()[:2]
    found = []
    for row, option, failure in ((one, "a", ""), (two, "b", "seed [2] broke")):
        first, second = (
            replace(
                row.cells[0], run=SweepRun(int(seed), {"seed": seed, "option": option}, Path(f"runs/{option}{seed}"))
            )
            for seed in "12"
        )
        if failure:
            second = Cell(replace(second.run, failure=failure, status=1), {})
        found.append(replace(row, choices={"option": option}, cells=(first, second), replicated=True))
    return found


def test_a_row_says_what_was_varied_and_what_came_out() -> None:
    made = sheet(rows())
    assert made.columns[0] == "budget" and "preset" not in made.columns and made.texts == 1
    first, second, failed, alone = (dict(zip(made.columns, row, strict=True)) for row in made.rows)
    assert first["accuracy [95 %]"] == "0.750 [0.500, 1.000]" and first["difference [95 %]"] == "–"
    assert (first["groups"], first["kept"], first["s/question"], first["run"]) == ("50%", "32.0", "0.13", "run0")
    assert second["difference [95 %]"].startswith("-0.500 [")
    assert (second["p"], second["p Holm"], second["McNemar"]) == ("1.000", "1.000", "0.500")  # one video differs
    assert failed["accuracy [95 %]"] == "failed" and failed["n"] == "" and failed["run"] == "run2"
    assert alone["accuracy [95 %]"] == "0.750" and alone["difference [95 %]"] == "–" and alone["p"] == ""
    assert made.notes[0].startswith("p: sign flips of whole videos; p Holm: corrected over 1 comparison; McNemar")
    notes = "\n".join(made.notes)
    assert "budget=32: budget [x]: too much" in notes and "seed" not in notes and "ceiling" not in notes
    assert "budget=16: compared on 3 common questions of 4" in notes


def test_evidence_is_shown_where_it_is_known() -> None:
    assert "evidence" not in sheet(rows()).columns
    known = {**SUMMARY, "evidence_found": 0.9, "evidence_kept": 0.416}
    older = {**SUMMARY, "evidence_found": 1.0}
    summaries = (known, older, {}, SUMMARY)
    made = sheet([replace(row, summary=summary) for row, summary in zip(rows(), summaries, strict=True)])
    shown = [dict(zip(made.columns, row, strict=True))["evidence"] for row in made.rows]
    assert shown == ["90% / 42%", "100% / –", "", "–"]
    assert any(note.startswith("evidence: share of questions with a token of every span") for note in made.notes)


def test_a_row_of_several_seeds_says_how_many_answered() -> None:
    made = sheet(replicated())
    assert made.columns[0] == "option" and made.columns[-1] == "seeds"
    assert [row[-1] for row in made.rows] == ["2", "1 of 2"]
    notes = "\n".join(made.notes)
    assert "means over seeds 1, 2, each paired with" in notes and "option=b: seed 2: seed [2] broke" in notes


def test_a_table_that_cannot_tell_rows_apart_says_so() -> None:
    best = [replace(row, accuracy=Interval(1.0, 0.9, 1.0), versus=None) for row in rows()[:2]]
    assert any("every row is at the ceiling" in note for note in sheet(best).notes)
    guessed = [replace(row, accuracy=Interval(0.3, 0.2, 0.4), chance=0.25) for row in rows()[:2]]
    assert any("no row is above chance" in note for note in sheet(guessed).notes)


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
    assert second["difference"] == "-0.5" and second["p_mcnemar"] == "0.5" and second["paired"] == "3"
    assert second["p_videos"] == second["p_videos_holm"] == "1.0" and second["of"] == "run"
    assert failed["failure"] == "budget [x]: too much" and failed["accuracy"] == ""
    others = write(rows()[:2], tmp_path / "tables", "budget")
    assert others[0] != markdown and markdown.exists()  # another sweep, another file
    assert write(rows(), tmp_path / "tables", "budget") == [markdown, table]


def test_the_csv_file_has_every_seed_below_the_row_of_all(tmp_path: Path) -> None:
    _, table = write(replicated(), tmp_path / "tables", "")
    with open(table, newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["of"], line["option"], line["seed"], line["run"]) for line in lines] == [
        ("seeds", "a", "1 2", ""),
        ("run", "a", "1", "a1"),
        ("run", "a", "2", "a2"),
        ("seeds", "b", "1", ""),
        ("run", "b", "1", "b1"),
        ("run", "b", "2", "b2"),
    ]
    assert [line["p_videos_holm"] for line in lines] == ["", "", "", "1.0", "", ""]  # the table's rows are the family
    assert lines[4]["p_videos"] == "1.0" and lines[5]["failure"] == "seed [2] broke" and lines[5]["accuracy"] == ""
