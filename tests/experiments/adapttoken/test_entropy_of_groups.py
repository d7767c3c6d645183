"""Groups ranked by certainty, counted by hand; both experiments at toy size, tables from the CSV on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.adapttoken import entropy_of_answers, entropy_of_groups
from experiments.adapttoken.probes import Probed
from experiments.common import read


def test_the_most_certain_group(made: Probed) -> None:
    for row in entropy_of_groups.by_signal(made, opacity=1.0):
        assert (row["questions"], row["shown"], row["right"]) == (2, 0.5, 0.5)
        assert row["auroc"] == pytest.approx((4 + 0.5) / 8)  # .01 below all four, 1.38 ties with one of them
    ranks = entropy_of_groups.rank(made)
    assert [row["rank"] for row in ranks] == [1, 2, 3]
    assert [row["shown"] for row in ranks] == [0.5, 0.5, 0] and [row["right"] for row in ranks] == [0.5, 1, 0]
    assert ranks[0]["entropy_50"] == pytest.approx(0.025)
    below = {row["threshold"]: row for row in entropy_of_groups.thresholds(made)}
    assert (below[0.05]["groups"], below[0.05]["shown"], below[0.05]["right"], below[0.05]["found"]) == (
        2,
        0.5,
        0.5,
        0.5,
    )
    assert below[1.3]["share"] == pytest.approx(4 / 6)
    kinds = entropy_of_groups.kinds(made)
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
