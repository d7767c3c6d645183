"""How long nothing better came, by hand."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.patience import Patience


def seen(*entropies: float) -> list[ScoredGroup]:
    return [
        ScoredGroup(Group(i, torch.tensor([i])), torch.zeros(1), Relevance(-h, h, "nats"), {"entropy": h})
        for i, h in enumerate(entropies)
    ]


def decisions(rule: Patience, *entropies: float) -> list[bool]:
    return [rule.enough(seen(*entropies[:n]), 9) for n in range(len(entropies) + 1)]


def test_stops_two_groups_after_the_certain_one() -> None:
    rule = Patience(patience=2, gain=0.05, entropy=0.1)
    assert decisions(rule, 1.3, 0.08, 1.2, 1.3) == [False, False, False, False, True]


def test_a_better_group_starts_the_wait_again_a_trifle_does_not() -> None:
    rule = Patience(patience=2, gain=0.05, entropy=0.1)
    assert decisions(rule, 0.1, 1.2, 0.02, 1.3)[-1] is False
    assert decisions(rule, 0.1, 1.2, 0.06, 1.3)[-2:] == [True, True]


def test_an_uncertain_best_never_stops() -> None:
    assert not any(decisions(Patience(patience=1, gain=0.0, entropy=0.1), 0.2, 1.0, 1.0, 1.0, 1.0))


def test_certainty_is_read_from_the_entropy_not_from_the_relevance_in_use() -> None:
    group = Group(0, torch.tensor([0]))
    best = ScoredGroup(group, torch.zeros(1), Relevance(0.0, 1.0, "probability"), {"entropy": 1.3})
    assert not Patience(patience=0, gain=0.0, entropy=0.1).enough([best], 9)


def test_needs_and_bad_keys() -> None:
    assert Patience(1, 0.0, 0.1).needs.logits
    with pytest.raises(ValueError, match=r"stopping\.patience must be >= 0 groups, got -1"):
        Patience(-1, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"stopping\.gain must be >= 0, got -0.1"):
        Patience(1, -0.1, 0.1)
