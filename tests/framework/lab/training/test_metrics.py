"""Summaries by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from framework.lab.training.metrics import auroc, by_split, summarise


def table(**columns: list) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: np.array(values) for name, values in columns.items()}


def test_auroc_counts_pairs_and_half_of_ties() -> None:
    assert auroc(np.array([3.0, 1.0]), np.array([2.0, 1.0])) == pytest.approx((2 + 0.5) / 4)
    assert auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert math.isnan(auroc(np.array([]), np.array([1.0])))


def test_summary_by_hand() -> None:
    answers = table(
        split=["attribute"] * 5,
        right=[0, 1, 2, -1, -1],
        choice=[0, 1, 3, 2, 2],
        entropy=[0.0, 0.2, 0.4, 1.3, 0.05],
        options=[4, 4, 2, 4, 4],
    )
    measured = summarise(answers)
    assert measured.questions == 5
    assert measured.accuracy == pytest.approx(2 / 3)
    assert measured.chance == pytest.approx((0.25 + 0.25 + 0.5) / 3)
    assert measured.entropy_present == pytest.approx(0.2)
    assert measured.entropy_absent == pytest.approx(0.675)
    assert measured.auroc == pytest.approx(4 / 6)  # 1.3 beats all three, .05 beats one
    assert measured.falsely_certain == 0.5


def test_splits_are_apart() -> None:
    answers = table(
        split=["when", "order", "when"], right=[0, 1, 1], choice=[0, 0, 1], entropy=[0.1, 0.2, 0.3], options=[3, 2, 3]
    )
    rows = by_split(answers)
    assert list(rows) == ["order", "when"]
    assert rows["when"].accuracy == 1.0 and rows["order"].accuracy == 0.0 and rows["when"].questions == 2
