"""Tokens of certain groups against the budget, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.coverage import Coverage


def seen(index: int, entropy: float, usable: int, refused: int = 0) -> ScoredGroup:
    scores = torch.cat([torch.zeros(usable), torch.full((refused,), -math.inf)])
    return ScoredGroup(Group(index, torch.tensor([index])), scores, Relevance(-9.0, 9.0, "nats"), {"entropy": entropy})


def test_certain_tokens_fill_the_share_exactly() -> None:
    rule = Coverage(budget=10, share=1.5, entropy=0.1)
    visited = [seen(0, 0.05, 8), seen(1, 1.3, 50), seen(2, 0.1, 7)]
    assert not rule.enough(visited[:2], 5)
    assert rule.enough(visited, 5)


def test_refused_tokens_do_not_count() -> None:
    assert not Coverage(budget=10, share=1.0, entropy=0.1).enough([seen(0, 0.0, 9, refused=20)], 5)


def test_needs_and_bad_keys() -> None:
    assert Coverage(10, 1.0, 0.1).needs.logits
    with pytest.raises(ValueError, match=r"stopping\.budget must be >= 1 token, got 0"):
        Coverage(0, 1.0, 0.1)
    with pytest.raises(ValueError, match=r"stopping\.share must be > 0, got 0"):
        Coverage(10, 0, 0.1)
