"""Continuations leave their prefix as it was, also in sliding-window layers."""

from __future__ import annotations

import torch
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

from framework.backbones.cache import ReadOnlyPrefix, branch


def prefix(length: int) -> Cache:
    cache = Cache(layers=[DynamicLayer(), DynamicSlidingWindowLayer(sliding_window=4)])
    for layer in range(2):
        states = torch.arange(length, dtype=torch.float32).view(1, 1, length, 1)
        cache.update(states, -states, layer)
    return cache


def test_a_branch_remembers_and_the_prefix_does_not_change() -> None:
    cache = prefix(6)
    new = torch.tensor([10.0, 20.0]).view(2, 1, 1, 1)
    continued = branch(cache, 2)
    keys, values = continued.update(new, -new, 0)
    assert keys[:, 0, :, 0].tolist() == [[0, 1, 2, 3, 4, 5, 10], [0, 1, 2, 3, 4, 5, 20]]
    assert torch.equal(values, -keys)
    keys, _ = continued.update(new, -new, 1)
    assert keys[:, 0, :, 0].tolist() == [[3, 4, 5, 10], [3, 4, 5, 20]]
    assert [continued.get_seq_length(i) for i in range(2)] == [7, 7]
    assert [cache.get_seq_length(i) for i in range(2)] == [6, 6]
    assert cache.layers[1].keys[0, 0, :, 0].tolist() == [3, 4, 5]


def test_a_read_only_prefix_forgets_what_it_was_given() -> None:
    cache = prefix(6)
    shared = ReadOnlyPrefix(cache)
    new = torch.tensor([10.0, 20.0]).view(2, 1, 1, 1)
    for _ in range(2):
        keys, _ = shared.update(new, -new, 1)
        assert keys[:, 0, :, 0].tolist() == [[3, 4, 5, 10], [3, 4, 5, 20]]
        assert shared.get_seq_length(1) == 6
        assert shared.get_mask_sizes(1, 1) == (4, 3)
