"""Where a new selector starts: its attention is copied from layers of the language model, once.

The scoring blocks compare as one decoder layer does, re-encoding block i as decoder layer i. What the feed-forward
layers add starts at zero, so that the language model first sees tokens close to its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from strategies.learned.qtsplus.blocks import Block, Compare
from strategies.learned.qtsplus.selector import Selector


@torch.no_grad()
def start_from(selector: Selector, layers: Sequence[Any], scoring_layer: int | None, quiet: bool) -> None:
    """Copies attention from decoder `layers`; scoring stays random where its layer is None.

    With `quiet`, re-encoding attention adds nothing at first either. Raises ValueError where the scoring layer does not
    exist, or where widths or heads differ.
    """
    if scoring_layer is not None and not 0 <= scoring_layer < len(layers):
        raise ValueError(f"recipe.start.scoring_layer must lie within 0..{len(layers) - 1}, got {scoring_layer}")
    for block in selector.scoring_layers if scoring_layer is not None else ():
        assert isinstance(block, Compare)
        _copy(block, layers[scoring_layer])  # type: ignore[index]
    for number, block in enumerate(selector.reencode_layers):
        assert isinstance(block, Block)
        _copy(block, layers[number % len(layers)])
        if quiet:
            nn.init.zeros_(block.o_proj.weight)


def _copy(block: Compare, layer: Any) -> None:
    attention = layer.self_attn
    names = ("q_proj", "k_proj", "v_proj", "o_proj") if isinstance(block, Block) else ("q_proj", "k_proj")
    for name in names:
        ours, theirs = getattr(block, name), getattr(attention, name)
        if ours.weight.shape != theirs.weight.shape:
            raise ValueError(
                f"the selector's {name} is {tuple(ours.weight.shape)}, the language model's "
                f"{tuple(theirs.weight.shape)}: give both the same width and heads"
            )
        ours.weight.copy_(theirs.weight)
        if ours.bias is not None:
            ours.bias.zero_() if theirs.bias is None else ours.bias.copy_(theirs.bias)
    block.q_norm.weight.copy_(layer.input_layernorm.weight)
    block.kv_norm.weight.copy_(layer.input_layernorm.weight)
    if isinstance(block, Block):
        block.ffn_norm.weight.copy_(layer.post_attention_layernorm.weight)
        last = block.ffn.net[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
