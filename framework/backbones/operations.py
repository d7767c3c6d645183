"""How many floating point operations a pass takes, from sizes alone: two per weight and row, and those of attention.

They are what is run: attention counts every pair of query and key, whether a mask hides it or not. Norms, activations,
softmax and rotary embeddings, a percent or so, are left out. Pure functions.
"""

from __future__ import annotations

from typing import Any

from torch import nn


def weights(module: nn.Module) -> int:
    """Counts the weights that multiply every row: those of linear and convolutional layers."""
    layers = (layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.Conv3d)))
    return sum(layer.weight.numel() for layer in layers)


def layers(decoder: Any, rows: int, seen: int, count: int) -> float:
    """Estimates the operations of the first `count` layers of a language model over `rows` rows after `seen` others.

    The cache of a layer with a sliding window holds no more of these than the window does.
    """
    total, own = 0.0, weights(decoder.layers[0])  # all are alike
    for layer in decoder.layers[:count]:
        attention = layer.self_attn
        window = getattr(attention, "sliding_window", None)
        keys = rows + (seen if window is None else min(seen, window - 1))
        width = decoder.config.num_attention_heads * attention.head_dim
        total += 2.0 * rows * own + 4.0 * rows * keys * width
    return total


def captured(decoder: Any, rows: int, seen: int) -> float:
    """Estimates the operations of attention that is computed once more at one layer, for `rows` rows."""
    attention = decoder.layers[0].self_attn
    width = decoder.config.num_attention_heads * attention.head_dim
    again = attention.q_proj.weight.numel() + attention.k_proj.weight.numel()
    return 2.0 * rows * (again + (seen + rows) * width) + 2.0 * seen * attention.k_proj.weight.numel()


def head(model: Any, rows: int) -> float:
    """Estimates the operations of `rows` rows of logits."""
    return 2.0 * rows * model.lm_head.weight.numel()
