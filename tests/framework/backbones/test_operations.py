"""Operations by hand; the adapters' tests hold them to what torch counts."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from framework.backbones import operations


class Experts(nn.Module):
    """Three experts of width 2 and inner width 5; a row goes to one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.Module()
        self.experts.gate_up_proj, self.experts.down_proj = (
            nn.Parameter(torch.zeros(3, 10, 2)),
            nn.Parameter(torch.zeros(3, 2, 5)),
        )
        self.experts.num_experts = 3
        self.gate = nn.Module()
        self.gate.top_k, self.gate.weight = 1, nn.Parameter(torch.zeros(3, 2))


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.Module()
        self.self_attn.q_proj, self.self_attn.k_proj = nn.Linear(2, 8, bias=False), nn.Linear(2, 4, bias=False)
        self.self_attn.head_dim = 4


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear_attn = nn.Linear(2, 3, bias=False)
        for name, value in {"head_k_dim": 2, "head_v_dim": 3, "num_v_heads": 5}.items():
            setattr(self.linear_attn, name, value)


def test_a_row_meets_the_experts_that_it_is_sent_to_and_what_chooses() -> None:
    assert operations.weights(nn.Sequential(Experts(), nn.Linear(2, 7))) == 20 + 10 + 6 + 14


def test_layers_of_two_kinds() -> None:
    """Seven rows after ten: 24 weights, two heads of four channels; six weights, a state of 2 x 3 in five heads."""
    decoder = SimpleNamespace(layers=[Recurrent(), Attending()], config=SimpleNamespace(num_attention_heads=2))
    state = 64 * 5 * (6 * 6 + 64 * (5 * 2 + 3 * 3))  # seven rows are a chunk of 64
    assert operations.layers(decoder, 7, 10, 1) == 2 * 7 * 6 + state
    assert operations.layers(decoder, 7, 10, 2) == 2 * 7 * 6 + state + 2 * 7 * 24 + 4 * 7 * 17 * 8
    assert operations.recurrent(decoder.layers[0].linear_attn, 1) == 5 * 36
    assert operations.captured(decoder, 7, 10) == 2 * 7 * (24 + 17 * 8) + 2 * 10 * 8


def test_a_tower() -> None:
    assert operations.tower(8, 3, 2, 5, 16, 4) == 2 * (8 * 3 + 2 * 5) + 4 * 8 * 16 * 4
