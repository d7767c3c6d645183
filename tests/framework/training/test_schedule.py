"""The learning rate by hand, and which parameters decay."""

from __future__ import annotations

import pytest
from torch import nn

from framework.training.schedule import Schedule, optimizer


def test_share_by_hand() -> None:
    schedule = Schedule(steps=100, rate=1.0, warmup=10, floor=0.2, weight_decay=0.1, clip=1.0)
    assert schedule.share(0) == pytest.approx(0.1, rel=1e-3)
    assert schedule.share(50) == pytest.approx(0.6)  # halfway between 1 and the floor
    assert schedule.share(100) == pytest.approx(0.2)
    assert Schedule(100, 1.0, 10, 1.0, 0.1, 1.0).share(70) == 1.0


def test_only_matrices_of_layers_decay() -> None:
    module = nn.ModuleDict({"rows": nn.Embedding(5, 4), "layer": nn.Linear(4, 3), "norm": nn.LayerNorm(3)})
    module["norm"].weight.requires_grad_(False)
    groups = optimizer(module, Schedule(10, 1.0, 1, 1.0, 0.1, 1.0))["optimizer"].param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert [tuple(p.shape) for p in groups[0]["params"]] == [(3, 4)]
    assert sorted(tuple(p.shape) for p in groups[1]["params"]) == [(3,), (3,), (5, 4)]
