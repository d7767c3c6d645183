"""Standing out from the groups seen, by hand, and independence of the entropy's unit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.quantile import Quantile


def seen(*entropies: float) -> list[ScoredGroup]:
    return [
        ScoredGroup(Group(i, torch.tensor([i])), torch.zeros(1), Relevance(-9.0, 9.0, "nats"), {"entropy": h})
        for i, h in enumerate(entropies)
    ]


def test_a_fifth_of_the_median_by_hand() -> None:
    rule = Quantile(groups=2, quantile=0.5, ratio=0.2, min_visited=4)
    assert not rule.enough(seen(1.0, 0.1, 1.2, 1.4, 0.21), 5)  # median 1.0, so below .2 lies one
    assert rule.enough(seen(1.0, 0.1, 1.2, 1.4, 0.19), 5)  # and here two


def test_nothing_is_typical_before_the_minimum() -> None:
    assert not Quantile(1, 0.5, 0.2, 4).enough(seen(0.0, 1.0, 1.0), 5)
    assert Quantile(1, 0.5, 0.2, 4).enough(seen(0.0, 1.0, 1.0, 1.0), 5)


@pytest.mark.parametrize("level", [0.0, 0.01, 1.3])
def test_groups_that_are_all_alike_never_stop_it(level: float) -> None:
    assert not Quantile(1, 0.5, 0.9, 2).enough(seen(*[level] * 10), 5)


@settings(max_examples=40, deadline=None)
@given(entropies=st.lists(st.floats(0.01, 2.0), min_size=2, max_size=20))
def test_an_entropy_in_eighths_decides_the_same(entropies: list[float]) -> None:
    rule = Quantile(2, 0.5, 0.25, 3)
    assert rule.enough(seen(*entropies), 5) == rule.enough(seen(*(8 * h for h in entropies)), 5)


@pytest.mark.parametrize(
    ("keys", "name"), [((0, 0.5, 0.1, 8), "groups"), ((1, 1.5, 0.1, 8), "quantile"), ((1, 0.5, 2.0, 8), "ratio")]
)
def test_bad_keys_are_named(keys: tuple[int, float, float, int], name: str) -> None:
    with pytest.raises(ValueError, match=rf"stopping\.{name} must"):
        Quantile(*keys)


def test_a_distribution_takes_two_groups() -> None:
    with pytest.raises(ValueError, match=r"stopping\.min_visited must be >= 2 to have a distribution, got 1"):
        Quantile(1, 0.5, 0.1, 1)
    assert Quantile(1, 0.5, 0.1, 2).needs.logits
