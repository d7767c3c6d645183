"""Tables and the flat summary, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wandb

from framework.trackers.wandb_tables import caption, flat, for_pictures, question_table, sweep_table


def line(name: str, correct: float = 1.0, **changes: Any) -> dict[str, Any]:
    counts = {"groups_visited": 1, "groups_total": 2, "tokens_kept": 4, "tokens_seen": 9, "evidence_found": None}
    said = {"video": "v", "question": "what ?", "options": ["red", "blue"], "right": "A", "parsed": "A", "answer": "A"}
    more = {"probabilities": [0.75, 0.25], "entropy": 0.5, "strata": {"asked": ["color", "shape"]}}
    groups = {"relevance": [-0.25, None], "kept": [4, None]}
    return {"id": name, "correct": correct, **said, **counts, **more, "groups": groups, **changes}


def test_the_table_of_questions_has_all_of_a_question_and_a_column_per_kind_of_stratum() -> None:
    columns, rows = question_table([line("a"), line("b", strata={"length": ["long"]})])
    asked = {"id": "a", "video": "v", "question": "what ?", "options": "red\nblue", "right": "A", "parsed": "A"}
    answered = {
        "answer": "A",
        "correct": 1.0,
        "probabilities": [0.75, 0.25],
        "entropy": 0.5,
        "relevance": [-0.25, None],
    }
    counts = {"groups_visited": 1, "groups_total": 2, "tokens_kept": 4, "tokens_seen": 9}
    counts |= {"evidence_found": None, "evidence_kept": None}  # the line is of an older run, which lacks the second
    expected = {**asked, **answered, **counts, "asked": "color, shape", "length": ""}
    assert dict(zip(columns, rows[0], strict=True)) == expected and list(expected) == columns
    assert rows[1][-2:] == ["", "long"]


def test_questions_of_older_runs_and_open_ones_are_rows_too() -> None:
    old = {key: value for key, value in line("old").items() if key not in ("question", "options")}
    unseen = {"relevance": [None, None, None], "kept": [None] * 3}
    opened = line("open", options=[], probabilities=[], entropy=None, groups=unseen)
    columns, rows = question_table([opened, old, line("a")])
    of = {name: [row[place] for row in rows] for place, name in enumerate(columns)}
    assert of["question"] == ["what ?", None, "what ?"] and of["options"] == ["", None, "red\nblue"]
    table = wandb.Table(columns=columns, data=rows)  # W&B takes only values that fit their column
    assert [row[0] for row in table.data] == ["open", "old", "a"]


def test_wrong_answers_are_drawn_first() -> None:
    lines = [line("right"), line("half", 0.5), line("right too"), line("wrong", 0.0)]
    assert [one["id"] for one in for_pictures(lines, 3)] == ["half", "wrong", "right"]
    assert for_pictures(lines, 0) == [] and for_pictures([], 4) == []
    assert caption(lines[0]) == "right, right: what ?" and caption(lines[1]) == "half, wrong: what ?"
    assert caption({"id": "q/1", "correct": 0}) == "q/1, wrong"


def test_numbers_of_a_sweeps_table_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "sweep.csv"
    text = [
        "budget,relevance,accuracy,p,run,failure",
        "8,inf,0.5,,1234567890,",
        '16,"a, b",1e-06,-0.25,55e1234567,gone',
    ]
    file.write_text("\n".join(text) + "\n")
    columns, rows = sweep_table(file)
    assert columns == ["budget", "relevance", "accuracy", "p", "run", "failure"]
    assert rows == [[8, "inf", 0.5, None, "1234567890", ""], [16, "a, b", 1e-6, -0.25, "55e1234567", "gone"]]


def test_a_summary_is_flattened_and_names_are_counted() -> None:
    summary = {"n": 2, "interval": [0.1, None], "strata": {"a": {"b c": {"n": 1}}}}
    named = {"errors": {"q": "why"}, "absent": {"videos": {"x": 3, "y": 1}, "rows": {}}}
    expected = {"n": 2, "interval/0": 0.1, "interval/1": None, "strata/a/b c/n": 1}
    assert flat({**summary, **named}) == {**expected, "errors": 1, "absent/videos": 2, "absent/rows": 0}
