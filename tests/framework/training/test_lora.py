"""LoRA starts as the layer it wraps, trains only its two matrices, and melts back into the weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from framework.training.lora import LoRA, add_lora, merge_lora


def test_nothing_changes_until_it_has_learned_and_merging_keeps_what_it_learned() -> None:
    torch.manual_seed(0)
    net, states = nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 3)), torch.randn(5, 6)
    before = net(states)
    add_lora(net, rank=2, alpha=4.0, dropout=0.0)
    assert torch.equal(net(states), before)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {"0.down", "0.up", "2.down", "2.up"}
    first = net[0]
    assert isinstance(first, LoRA)
    with torch.no_grad():
        first.up.fill_(0.5)
    expected = first.base(states) + 2.0 * states @ first.down.T @ first.up.T
    assert torch.allclose(first(states), expected, atol=1e-6)
    after = net(states)
    merge_lora(net)
    assert isinstance(net[0], nn.Linear) and torch.allclose(net(states), after, atol=1e-6)


def test_a_rank_beyond_the_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lora.rank must lie within 1..4, got 5"):
        add_lora(nn.Sequential(nn.Linear(8, 4)), rank=5, alpha=1.0, dropout=0.0)
