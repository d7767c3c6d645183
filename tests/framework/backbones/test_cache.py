"""Continuations leave their prefix as it was, also in sliding-window layers."""

from __future__ import annotations

import pytest
import torch
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer, LinearAttentionLayer

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


def recurrent() -> Cache:
    """A recurrent layer as it is after a prefix: two channels, three steps of convolution."""
    cache = Cache(layers=[LinearAttentionLayer(), DynamicLayer()])
    cache.update_conv_state(torch.arange(6.0).view(1, 2, 3), 0)
    cache.update_recurrent_state(torch.full((1, 1, 2, 2), 5.0), 0)
    cache.update(torch.ones(1, 1, 4, 1), torch.ones(1, 1, 4, 1), 1)
    return cache


@pytest.mark.parametrize("make", [branch, ReadOnlyPrefix])
def test_recurrent_states_belong_to_each_continuation(make) -> None:  # type: ignore[no-untyped-def]
    """Written over in place by one continuation, they are as they were for the next."""
    cache = recurrent()
    for value in (7.0, 9.0):
        continued = make(cache, 3)
        state = continued.layers[0].recurrent_states[0]
        assert state.shape == (3, 1, 2, 2) and (state == 5).all()
        state[1] = value
        continued.update_conv_state(torch.full((3, 2, 1), value), 0)
        assert continued.layers[0].conv_states[0][1].tolist() == [[1, 2, value], [4, 5, value]]
        assert (continued.layers[0].recurrent_states[0][0] == 5).all()  # not a view of the other
    assert cache.layers[0].recurrent_states[0].tolist() == [[[[5, 5], [5, 5]]]]
    assert cache.layers[0].conv_states[0].tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert cache.layers[0].has_previous_state == {0: True}


def test_a_recurrent_layer_that_never_ran_stays_empty() -> None:
    """An early end leaves the layers above it without states."""
    continued = branch(Cache(layers=[LinearAttentionLayer()]), 2)
    assert continued.layers[0].recurrent_states == {0: None}
