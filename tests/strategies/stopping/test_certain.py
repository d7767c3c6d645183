"""Counting certain groups by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.certain import Certain


def seen(*entropies: float) -> list[ScoredGroup]:
    """Groups with these entropies; the relevance in use says the opposite and must not be read."""
    return [
        ScoredGroup(Group(i, torch.tensor([i])), torch.zeros(1), Relevance(-9.0, 9.0, "nats"), {"entropy": h})
        for i, h in enumerate(entropies)
    ]


def test_two_certain_groups_are_enough_and_the_threshold_counts() -> None:
    rule = Certain(groups=2, entropy=0.1, min_visited=1)
    assert not rule.enough(seen(0.05, 1.3, 0.11), 5)
    assert rule.enough(seen(0.05, 1.3, 0.1), 5)


def test_certain_groups_wait_for_the_minimum() -> None:
    rule = Certain(groups=1, entropy=0.1, min_visited=3)
    assert not rule.enough(seen(0.0, 0.0), 5)
    assert rule.enough(seen(0.0, 0.0, 1.3), 5)


@settings(max_examples=30, deadline=None)
@given(entropies=st.lists(st.floats(0.0, 12.0), max_size=20))
def test_a_threshold_below_zero_never_stops(entropies: list[float]) -> None:
    assert not Certain(groups=1, entropy=-0.1, min_visited=0).enough(seen(*entropies), 3)


@settings(max_examples=40, deadline=None)
@given(entropies=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=20), groups=st.integers(1, 4))
def test_once_enough_it_stays_enough(entropies: list[float], groups: int) -> None:
    rule = Certain(groups, 0.3, 2)
    decisions = [rule.enough(seen(*entropies[:n]), 9) for n in range(len(entropies) + 1)]
    assert decisions == sorted(decisions)


def test_needs_and_bad_keys() -> None:
    assert Certain(1, 0.1, 1).needs.logits
    with pytest.raises(ValueError, match=r"stopping\.groups must be >= 1, got 0"):
        Certain(0, 0.1, 1)
    with pytest.raises(ValueError, match=r"stopping\.min_visited must be >= 0, got -1"):
        Certain(1, 0.1, -1)
