"""How many visits are enough, by hand."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Group, Relevance, ScoredGroup
from strategies.stopping.share import Share


def visits(rule: Share, total: int) -> int:
    seen = [
        ScoredGroup(Group(i, torch.tensor([i])), torch.zeros(1), Relevance(0.0, 0.0, "nats"), {}) for i in range(total)
    ]
    return next(n for n in range(total + 1) if rule.enough(seen[:n], total - n))


@pytest.mark.parametrize(
    ("share", "total", "expected"), [(0.5, 8, 4), (0.5, 9, 5), (0.01, 8, 1), (1.0, 8, 8), (0.07, 100, 7)]
)
def test_a_share_of_the_groups_rounded_up(share: float, total: int, expected: int) -> None:
    assert visits(Share(share), total) == expected


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_no_share_is_named(share: float) -> None:
    with pytest.raises(ValueError, match=r"stopping\.share must lie within 0..1, above 0, got"):
        Share(share)
