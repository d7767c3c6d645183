"""Running figures as a table on disk: columns, going on, a torn end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from framework.trackers import About
from framework.trackers.csv import CsvTracker


def started(folder: Path) -> CsvTracker:
    tracker = CsvTracker()
    tracker.start(About("abc", folder, {}))
    return tracker


def test_a_line_per_call_under_the_columns_of_the_first(tmp_path: Path) -> None:
    tracker = started(tmp_path)
    tracker.log({"accuracy": 2 / 3, "questions": 3})
    tracker.log({"questions": 4, "accuracy": float("nan")})
    tracker.finish({"accuracy": 0.5}, [])
    assert (tmp_path / "metrics.csv").read_text() == "accuracy,questions\n0.666667,3\n,4\n"


def test_a_run_that_goes_on_appends_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    started(tmp_path).log({"accuracy": 0.5, "questions": 2})
    table = tmp_path / "metrics.csv"
    table.write_text(table.read_text() + "0.75,")  # killed in the middle of a line
    again = started(tmp_path)
    assert table.read_text() == "accuracy,questions\n0.5,2\n"
    again.log({"questions": 4, "accuracy": 0.75})
    assert table.read_text() == "accuracy,questions\n0.5,2\n0.75,4\n"


@pytest.mark.parametrize("left", ["", "accu", "accuracy,questions"])
def test_a_torn_header_is_written_again(tmp_path: Path, left: str) -> None:
    (tmp_path / "metrics.csv").write_text(left)
    started(tmp_path).log({"accuracy": 0.5, "questions": 2})
    assert (tmp_path / "metrics.csv").read_text() == "accuracy,questions\n0.5,2\n"


def test_a_figure_that_comes_later_gets_a_column_of_its_own(tmp_path: Path) -> None:
    tracker = started(tmp_path)
    tracker.log({"questions": 1})
    tracker.log({"questions": 2, "seconds": 0.25})
    with open(tmp_path / "metrics.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"questions": "1", "seconds": ""},
            {"questions": "2", "seconds": "0.25"},
        ]


def test_logging_before_the_start_is_refused() -> None:
    with pytest.raises(RuntimeError, match="start"):
        CsvTracker().log({"a": 1})
