"""Never enough."""

from __future__ import annotations

import torch

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.never import Never


def test_not_even_certain_groups_are_enough() -> None:
    certain = ScoredGroup(Group(0, torch.tensor([0])), torch.zeros(1), Relevance(0.0, 0.0, "nats"), {"entropy": 0.0})
    assert not Never().enough([certain] * 5, 1)
    assert Never().needs.nothing
