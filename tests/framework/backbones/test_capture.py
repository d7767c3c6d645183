"""Attention rows against a direct formula, and hooks that always go."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from framework.backbones.capture import Enough, Making, attention_rows, hook, rotate


def test_attention_rows_by_hand() -> None:
    """One head, equal scores: a row spreads evenly over what it may see; the columns are not renormalised."""
    weights = attention_rows(torch.zeros(1, 2, 4), torch.zeros(1, 5, 4), 1.0, None, torch.tensor([0, 2]))
    torch.testing.assert_close(weights[0], torch.tensor([[1 / 4, 1 / 4], [1 / 5, 1 / 5]]))


def test_a_window_hides_what_is_too_far() -> None:
    weights = attention_rows(torch.zeros(1, 2, 4), torch.zeros(1, 5, 4), 1.0, 2, torch.arange(5))
    torch.testing.assert_close(weights[0], torch.tensor([[0, 0, 0.5, 0.5, 0], [0, 0, 0, 0.5, 0.5]]))


def test_neighbouring_query_heads_share_a_key_head() -> None:
    """Heads 0, 1, 2 read key head 0, heads 3, 4, 5 key head 1 (interleaved, not tiled)."""
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(6, 1, 8, generator=generator), torch.randn(2, 3, 8, generator=generator)
    weights = attention_rows(queries, keys, 0.5, None, torch.arange(3))
    for head in range(6):
        expected = [math.exp(0.5 * float(queries[head, 0] @ keys[head // 3, j])) for j in range(3)]
        torch.testing.assert_close(weights[head, 0], torch.tensor(expected) / sum(expected))


def test_half_precision_inputs_are_weighed_in_fp32() -> None:
    queries, keys = torch.randn(2, 3, 8).bfloat16(), torch.randn(1, 6, 8).bfloat16()
    weights = attention_rows(queries, keys, 1.0, None, torch.arange(6))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, attention_rows(queries.float(), keys.float(), 1.0, None, torch.arange(6)))


class Attention(nn.Module):
    head_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(4, 4, bias=False)

    def forward(self, hidden_states, position_embeddings):
        return hidden_states


def test_rotation_turns_pairs_half_a_head_apart() -> None:
    module = Attention()
    nn.init.eye_(module.q_proj.weight)
    quarter = (torch.zeros(1, 1, 2), torch.ones(1, 1, 2))  # cos 0, sin 1: (x, y) -> (-y, x)
    found = rotate(module.q_proj, module, torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), quarter)
    assert found.tolist() == [[[[-2.0, 1.0]], [[-4.0, 3.0]]]]


@pytest.mark.parametrize("error", [Enough, KeyError])
def test_hooks_are_gone_whatever_happens(error: type[Exception]) -> None:
    module, rotary = Attention(), (torch.ones(1), torch.ones(1))

    def seen(layer, module, hidden, rotary):
        raise error

    def run() -> None:
        with hook({3: module}, seen):
            module(hidden_states=torch.ones(1), position_embeddings=rotary)
            raise AssertionError("the hook did not run")

    if error is Enough:
        run()  # ends quietly
    else:
        with pytest.raises(KeyError):
            run()
    assert not module._forward_pre_hooks


class Gated(Attention):
    """One head of four channels, of which two turn; a gate beside the query; norms that double and halve."""

    head_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(4, 8, bias=False), nn.Linear(4, 4, bias=False)
        self.q_norm, self.k_norm = (lambda states: 2 * states), (lambda states: states / 2)


def test_norms_gates_and_channels_that_do_not_turn_by_hand() -> None:
    module = Gated()
    with torch.no_grad():
        module.q_proj.weight.copy_(torch.cat([torch.eye(4), 100 * torch.ones(4, 4)]))  # the query, then its gate
        nn.init.eye_(module.k_proj.weight)
    quarter = (torch.zeros(1, 1, 2), torch.ones(1, 1, 2))
    hidden = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    making = Making(gated_queries=True)
    assert making.queries(module, hidden, quarter).tolist() == [[[[-4.0, 2.0, 6.0, 8.0]]]]
    assert making.keys(module, hidden, quarter).tolist() == [[[[-1.0, 0.5, 1.5, 2.0]]]]


def test_a_gate_stands_beside_its_own_head() -> None:
    """Two heads of two channels: query, gate, query, gate."""
    module = Attention()
    module.q_proj = nn.Linear(4, 8, bias=False)
    rows = torch.eye(4)
    with torch.no_grad():
        module.q_proj.weight.copy_(torch.cat([rows[:2], 0 * rows[:2], rows[2:], 0 * rows[2:]]))
    still = (torch.ones(1, 1, 2), torch.zeros(1, 1, 2))
    found = Making(gated_queries=True).queries(module, torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), still)
    assert found.tolist() == [[[[1.0, 2.0]], [[3.0, 4.0]]]]


def test_a_family_may_turn_neighbours() -> None:
    def neighbours(states, cos, sin):
        return states * cos + torch.stack([-states[..., 1::2], states[..., ::2]], -1).flatten(-2) * sin

    module = Gated()
    with torch.no_grad():
        nn.init.eye_(module.k_proj.weight)
    quarter = (torch.zeros(1, 1, 4), torch.ones(1, 1, 4))
    found = Making(turn=neighbours).keys(module, torch.tensor([[[2.0, 4.0, 6.0, 8.0]]]), quarter)
    assert found.tolist() == [[[[-2.0, 1.0, -4.0, 3.0]]]]
