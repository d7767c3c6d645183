"""What is inside the layers is scaled up to all of them, what is around them is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from framework.profiling import layer_timing as layers
from framework.profiling.base import Spent


def test_inside_is_scaled_and_around_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([(1.0, 10.0), (3.0, 10.5), (5.0, 20.0), (6.0, 22.0)])  # entering and leaving, twice
    monkeypatch.setattr(layers, "_now", lambda: next(clock))
    network = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    watched = layers.Layers(network, 6)
    for _ in range(2):
        watched.around("one", lambda: network[1](network[0](torch.zeros(2, 3, 4))))
    assert watched.rows == {"one": 6}
    both = {"one": [Spent(2.5, 0.75), Spent(1.5, 2.25)]}
    assert watched.whole(both) == {"one": [Spent(6.5, 1.75), Spent(3.5, 6.25)]}  # 2.5 + 2 x 2, 0.75 + 2 x 0.5, ...
    assert watched.whole({"one": both["one"][1:]}) == {"one": [Spent(3.5, 6.25)]}  # the first round warmed up
    watched.close()
    network[1](network[0](torch.zeros(1, 4)))  # asks no clock any more
