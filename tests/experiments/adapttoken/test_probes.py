"""Groups as probes: which show the needle, and whose question each belongs to."""

from __future__ import annotations

import torch

from experiments.adapttoken.probes import Probed, shows
from framework.core.types import Group


def test_a_group_shows_a_needle_that_one_of_its_ticks_sees() -> None:
    groups = [Group(0, torch.tensor([0, 2])), Group(1, torch.tensor([1, 3]))]
    seconds = torch.arange(4, dtype=torch.float64)
    assert shows(groups, seconds, [(1.0, 2.0)]) == [False, True]  # the end is not part of the span
    assert shows(groups, seconds, [(0.5, 0.9)]) == [False, False]
    assert shows(groups, seconds, [(3.0, 4.0), (0.0, 0.5)]) == [True, True]


def test_probes_know_their_question_and_whether_they_are_right(made: Probed) -> None:
    assert made.question == ["q"] * 3 + ["r"] * 3
    assert made.right.tolist() == [True, False, True, True, False, False]
    assert len(made[made.shown]) == 2 and made[made.shown].signals["entropy"].tolist() == [0.01, 1.38]
