"""Arguments, CSV, tables, comparison of rows: small hand-made cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments import common


def test_arguments_over_their_defaults() -> None:
    assert common.arguments(["b=2=3"], {"a": "1", "b": ""}) == {"a": "1", "b": "2=3"}
    with pytest.raises(SystemExit, match=r"unknown: c; .*a=1"):
        common.arguments(["c=2"], {"a": "1"})
    assert common.numbers("8,16") == [8, 16]


def test_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = [{"name": "a, b", "n": 3, "x": 0.123456789, "none": None}, {"name": "c", "n": -1, "x": 1e-9, "none": None}]
    common.write(tmp_path / "new" / "rows.csv", rows)
    assert common.read(tmp_path / "new" / "rows.csv") == [
        {"name": "a, b", "n": 3, "x": 0.123457, "none": None},
        {"name": "c", "n": -1, "x": 1e-9, "none": None},
    ]


def test_markdown() -> None:
    assert common.markdown(["", "x"], [["a", 1]]) == "|  | x |\n| --- | --- |\n| a | 1 |"
    row = {
        "accuracy": 0.5,
        "low": 0.25,
        "high": 0.75,
        "difference": None,
        "difference_low": None,
        "difference_high": None,
    }
    assert common.interval(row) == "0.500 [0.250, 0.750]" and common.interval(row, "difference") == ""


def test_holm_skips_the_reference() -> None:
    found = common.with_holm([{"p": 0.02}, {"p": None}, {"p": 0.5}])
    assert [row["p_holm"] for row in found] == [0.04, None, 0.5]


def _run(folder: Path, correct: list[float]) -> Path:
    folder.mkdir()
    places = enumerate(correct)
    base = {
        "prompt": "x",
        "right": "A",
        "parsed": "A",
        "groups": {},
        "groups_total": 4,
        "groups_visited": 1,
        "tokens_kept": 8,
        "evidence_found": bool(correct[0]),
    }
    lines = [{**base, "id": f"q{i}", "video": f"v{i // 2}", "correct": score} for i, score in places]
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "timings.jsonl").write_text("".join(f'{{"id": "q{i}", "seconds": 2.0}}\n' for i in range(len(lines))))
    (folder / "summary.json").write_text('{"benchmark": "made"}')
    return folder


def test_rows_are_compared_on_the_same_questions(tmp_path: Path) -> None:
    ours, theirs = _run(tmp_path / "ours", [1, 1, 1, 0]), _run(tmp_path / "theirs", [0, 0, 1, 0])
    first, second = common.compare({"ours": ours, "theirs": theirs}, "theirs", budget=8)
    assert (first["budget"], first["run"], first["n"], first["videos"], first["accuracy"]) == (8, "ours", 4, 2, 0.75)
    assert (first["difference"], first["p"], first["seconds"], first["groups_visited"]) == (0.5, 0.5, 2.0, 0.25)
    assert first["low"] <= 0.75 <= first["high"] and second["difference"] is None and second["p"] is None
    assert (first["evidence_found"], second["evidence_found"]) == (1, 0)
    fewer = _run(tmp_path / "fewer", [1, 1])
    with pytest.raises(SystemExit, match="have not answered the same questions"):
        common.compare({"fewer": fewer, "theirs": theirs}, "theirs")


def test_a_doubling_axis_has_marks_at_its_places_alone() -> None:
    axes = Figure().subplots()
    axes.plot([4, 8, 9], [0.25, 0.5, 0.75])
    common.doubling(axes, [4, 8])
    assert axes.get_xscale() == "log" and list(axes.get_xticks()) == [4, 8]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["4", "8"]
