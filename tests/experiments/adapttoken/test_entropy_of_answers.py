"""Right and wrong answers with and without the needle, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.adapttoken import entropy_of_answers
from experiments.adapttoken.probes import Probed


def test_answers_with_and_without_the_needle(made: Probed) -> None:
    shown, hidden, either = entropy_of_answers.figures(made, opacity=1.0, group_frames=16)
    assert (shown["answers"], shown["right"], shown["median_right"]) == (2, 2, pytest.approx(0.695))
    assert shown["median_wrong"] is None and np.isnan(shown["auroc"])
    assert (hidden["answers"], hidden["right"], hidden["auroc"]) == (
        4,
        1,
        pytest.approx(2 / 3),
    )  # 1.2 < 1.3, 1.38; > .04
    assert either["answers"] == 6
    bins = entropy_of_answers.histogram(made, opacity=1.0, group_frames=16)
    assert sum(row["answers"] for row in bins) == 6
    assert [(r["from"], r["answers"]) for r in bins if r["needle"] == "shown"] == [(0, 1), (pytest.approx(1.35), 1)]
