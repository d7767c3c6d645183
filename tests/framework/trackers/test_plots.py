"""What is plotted of a run, by hand; that every plot draws whatever there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from framework.trackers.plots import PLOTS, accuracy_by_share, budget_curve, entropies, save


def line(correct: float, visited: int = 1, entropy: float | None = 0.5, **groups: list[Any]) -> dict[str, Any]:
    given = {"relevance": [-1.0], "kept": [4], **groups}
    return {"correct": correct, "entropy": entropy, "groups_visited": visited, "groups_total": 4, "groups": given}


def test_entropies_of_right_and_wrong_answers() -> None:
    right, wrong = entropies(
        [line(1, entropy=0.1), line(0, entropy=0.9), line(0.5, entropy=0.2), line(1, entropy=None)]
    )
    assert right.tolist() == [0.1] and wrong.tolist() == [0.9, 0.2]  # half right is not right, as in sieve compare


def test_accuracy_in_bins_of_the_share_visited() -> None:
    lines = [line(1, 1), line(0, 1), line(1, 4), line(1, 4), line(0, 4)]
    share, accuracy, counts = accuracy_by_share(lines)
    assert share.tolist() == [0.25, 1.0] and counts.tolist() == [2, 3]
    assert accuracy == pytest.approx([0.5, 2 / 3])


def test_the_budget_curve_is_the_mean_over_questions() -> None:
    one = line(1, relevance=[-2.0, None, -1.0], kept=[1, None, 3])  # the most relevant half holds three quarters
    equal = line(1, relevance=[-1.0, -1.0], kept=[2, 2])
    x, share = budget_curve([one, equal, line(1, kept=[0])], points=3)
    assert x.tolist() == [0, 0.5, 1] and share == pytest.approx([0, (0.75 + 0.5) / 2, 1])
    assert np.isnan(budget_curve([line(1, kept=[None])], points=3)[1]).all()


@pytest.mark.parametrize("lines", [[line(1)], [line(0, entropy=None, kept=[None])], [line(1), line(0), line(0.4, 4)]])
def test_every_plot_draws(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    files = save(lines, tmp_path / "plots")
    assert [file.stem for file in files] == list(PLOTS)
    assert all(len(set(Image.open(file).convert("L").getdata())) > 5 for file in files)


def test_nothing_to_plot_makes_no_folder(tmp_path: Path) -> None:
    assert save([], tmp_path / "plots") == [] and not (tmp_path / "plots").exists()
