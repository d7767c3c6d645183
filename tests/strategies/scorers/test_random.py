"""Random scores: a permutation that depends on seed, question and group alone."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.stats import kstest

from framework.core.types import Group
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.random import Random


def _view(index: int = 0, question: str = "q", ticks: int = 5) -> GroupView:
    view = toys.view(Needs(), ticks=ticks)
    return replace(view, group=Group(index, view.group.ticks), question=replace(view.question, id=question))


def test_a_permutation() -> None:
    assert sorted(Random(0).score(_view()).values.tolist()) == list(range(1, 61))


def test_what_it_depends_on() -> None:
    first = Random(0).score(_view()).values
    Random(0).score(_view(index=3))
    torch.manual_seed(99)
    assert torch.equal(first, Random(0).score(_view()).values)
    for other in (Random(1).score(_view()), Random(0).score(_view(index=1)), Random(0).score(_view(question="p"))):
        assert not torch.equal(first, other.values)


def test_it_does_not_touch_the_global_generator() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    Random(0).score(_view())
    assert torch.equal(expected, torch.rand(3))


def test_every_token_is_as_likely_to_be_kept() -> None:
    first_token = [float(Random(seed).score(_view()).values[0]) / 60 for seed in range(300)]
    assert kstest(first_token, "uniform").pvalue > 0.01


def test_it_needs_nothing() -> None:
    assert Random(0).needs.nothing
