"""Arguments, CSV, tables, comparison of rows: small hand-made cases."""

from __future__ import annotations

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


def test_a_doubling_axis_has_marks_at_its_places_alone() -> None:
    axes = Figure().subplots()
    axes.plot([4, 8, 9], [0.25, 0.5, 0.75])
    common.doubling(axes, [4, 8])
    assert axes.get_xscale() == "log" and list(axes.get_xticks()) == [4, 8]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["4", "8"]
