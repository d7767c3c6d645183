"""Groups as probes: which show the needle, how they rank; both experiments at toy size, tables from the CSV on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.adapttoken import entropy_of_answers, entropy_of_groups
from experiments.adapttoken.probed_groups import SIGNALS, Probed, read_groups, shows
from experiments.common import read
from framework.core.types import Group


def test_a_group_shows_a_needle_that_one_of_its_ticks_sees() -> None:
    groups = [Group(0, torch.tensor([0, 2])), Group(1, torch.tensor([1, 3]))]
    seconds = torch.arange(4, dtype=torch.float64)
    assert shows(groups, seconds, [(1.0, 2.0)]) == [False, True]  # the end is not part of the span
    assert shows(groups, seconds, [(0.5, 0.9)]) == [False, False]
    assert shows(groups, seconds, [(3.0, 4.0), (0.0, 0.5)]) == [True, True]


def _made() -> Probed:
    """Two questions of three groups; the signals agree with one another."""
    lines = [
        {
            "id": name,
            "video": name,
            "right": "B",
            "groups_total": 3,
            "groups": {
                "choice": choice,
                "signals": {s: entropy if s == "entropy" else [2 - h for h in entropy] for s in SIGNALS},
            },
        }
        for name, choice, entropy in (("q", [1, 0, 1], [0.01, 1.3, 1.2]), ("r", [1, 2, 0], [1.38, 0.04, 1.38]))
    ]
    return read_groups(lines, {"q": [True, False, False], "r": [True, False, False]})


def test_probes_know_their_question_and_whether_they_are_right() -> None:
    made = _made()
    assert made.question == ["q"] * 3 + ["r"] * 3
    assert made.right.tolist() == [True, False, True, True, False, False]
    assert len(made[made.shown]) == 2 and made[made.shown].signals["entropy"].tolist() == [0.01, 1.38]


def test_answers_with_and_without_the_needle() -> None:
    shown, hidden, either = entropy_of_answers.figures(_made(), opacity=1.0, group_frames=16)
    assert (shown["answers"], shown["right"], shown["median_right"]) == (2, 2, pytest.approx(0.695))
    assert shown["median_wrong"] is None and np.isnan(shown["auroc"])
    assert (hidden["answers"], hidden["right"], hidden["auroc"]) == (
        4,
        1,
        pytest.approx(2 / 3),
    )  # 1.2 < 1.3, 1.38; > .04
    assert either["answers"] == 6
    bins = entropy_of_answers.histogram(_made(), opacity=1.0, group_frames=16)
    assert sum(row["answers"] for row in bins) == 6
    assert [(r["from"], r["answers"]) for r in bins if r["needle"] == "shown"] == [(0, 1), (pytest.approx(1.35), 1)]


def test_the_most_certain_group() -> None:
    for row in entropy_of_groups.by_signal(_made(), opacity=1.0):
        assert (row["questions"], row["shown"], row["right"]) == (2, 0.5, 0.5)
        assert row["auroc"] == pytest.approx((4 + 0.5) / 8)  # .01 below all four, 1.38 ties with one of them
    ranks = entropy_of_groups.rank(_made())
    assert [row["rank"] for row in ranks] == [1, 2, 3]
    assert [row["shown"] for row in ranks] == [0.5, 0.5, 0] and [row["right"] for row in ranks] == [0.5, 1, 0]
    assert ranks[0]["entropy_50"] == pytest.approx(0.025)
    below = {row["threshold"]: row for row in entropy_of_groups.thresholds(_made())}
    assert (below[0.05]["groups"], below[0.05]["shown"], below[0.05]["right"], below[0.05]["found"]) == (
        2,
        0.5,
        0.5,
        0.5,
    )
    assert below[1.3]["share"] == pytest.approx(4 / 6)
    kinds = entropy_of_groups.kinds(_made())
    assert np.sum(kinds, axis=0).tolist() == [1] * 6 and kinds[0].tolist() == [True, False, False, True, False, False]


def test_both_at_toy_size(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["frames=64", "videos=2", "opacity=0.5", f"folder={workplace}"]
    entropy_of_answers.main([*words, "group_ticks=8"])
    summary = read(workplace / "entropy_of_answers.csv")
    assert entropy_of_answers.table(summary) in capsys.readouterr().out
    assert [row["answers"] for row in summary][2] == 2 * 5 * 5  # 32 ticks in 5 groups of up to 8
    entropy_of_groups.main(words)
    said = capsys.readouterr()
    assert said.err.count("10/10") <= 1  # the run of the other experiment is taken up
    assert entropy_of_groups.signal_table(read(workplace / "entropy_of_groups.csv")) in said.out
    assert entropy_of_groups.threshold_table(read(workplace / "entropy_of_groups_threshold.csv")) in said.out
    assert len(list((workplace / "outputs" / "needle").iterdir())) == 1
    for name in ("entropy_of_answers", "entropy_of_groups"):
        assert Image.open(workplace / f"{name}.png").width > 400
