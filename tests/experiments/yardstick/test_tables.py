"""Rows that are added to a file: nothing else is lost, nothing is there twice, corrections are made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.common import read
from experiments.yardstick.tables import add, check_paired
from framework.core.errors import UsageError


def _row(frames: int, method: str, p: float | None, accuracy: float = 0.5) -> dict[str, Any]:
    return {"split": "when", "frames": frames, "budget": 64, "method": method, "accuracy": accuracy, "p": p}


def test_rows_are_added_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    add(file, [_row(1024, "adapttoken", None), _row(1024, "vote", 0.01)])
    assert [row["p_holm"] for row in read(file)] == [None, 0.01]
    add(file, [_row(256, "adapttoken", None), _row(256, "vote", 0.04), _row(1024, "vote", 0.03, 0.75)])
    assert [(row["frames"], row["method"], row["accuracy"], row["p_holm"]) for row in read(file)] == [
        (256, "adapttoken", 0.5, None),
        (256, "vote", 0.5, 0.06),
        (1024, "adapttoken", 0.5, None),
        (1024, "vote", 0.75, 0.06),
    ]


def test_rows_with_other_columns_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "thresholds.csv"
    add(file, [{"frames": 256, "method": "vote", "accuracy_0.1": 0.5}])
    with pytest.raises(UsageError, match=r"thresholds\.csv was measured otherwise \(accuracy_0\.1, accuracy_0\.2\)"):
        add(file, [{"frames": 1024, "method": "vote", "accuracy_0.2": 0.5}])
    assert [row["frames"] for row in read(file)] == [256]


def test_rows_that_would_be_paired_with_another_method_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    check_paired(file, ["vote"])
    add(file, [_row(1024, "adapttoken", None), _row(1024, "vote", 0.01)])
    check_paired(file, ["adapttoken", "uniform"])
    with pytest.raises(UsageError, match=r"methods= does not name adapttoken: name it in methods=, or .* results="):
        check_paired(file, ["uniform", "vote"])
    alone = tmp_path / "alone.csv"
    add(alone, [_row(1024, "vote", None)])
    check_paired(alone, ["vote", "uniform"])
    with pytest.raises(UsageError, match=r"alone\.csv has no row of adapttoken"):
        check_paired(alone, ["adapttoken"])


def test_a_reference_that_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "splits.csv"
    add(file, [_row(1024, "adapttoken", None, 1 / 3), _row(1024, "vote", 0.01)])
    add(file, [_row(1024, "adapttoken", None, 1 / 3), _row(1024, "uniform", 0.02)])
    with pytest.raises(
        UsageError, match=r"adapttoken had accuracy=0\.333333 and now has 0\.5, .* measure all methods again"
    ):
        add(file, [_row(1024, "adapttoken", None, 0.5)])
    assert [row["method"] for row in read(file)] == ["adapttoken", "vote", "uniform"]
