"""How many floating point operations a pass takes, from sizes alone: two per weight and row, and those of attention.

They are what is run: attention counts every pair of query and key, whether a mask hides it or not. Norms, activations,
softmax and rotary embeddings, a percent or so, are left out. Pure functions.
"""

from __future__ import annotations

from typing import Any

from torch import nn

CHUNK = 64  # rows that a recurrent layer takes at once


def weights(module: nn.Module) -> int:
    """Counts the weights that multiply every row: those of linear and convolutional layers, and of the experts used."""
    layers = [layer for layer in module.modules() if isinstance(layer, (nn.Linear, nn.Conv2d, nn.Conv3d))]
    return sum(layer.weight.numel() for layer in layers) + sum(map(_experts, module.modules()))


def _experts(module: nn.Module) -> int:
    """Weights of a mixture of experts that multiply a row: of each expert that it is sent to, and of what chooses."""
    experts: Any = getattr(module, "experts", None)
    router: Any = getattr(module, "gate", None)
    if experts is None:
        return 0
    whole = int(experts.gate_up_proj.numel() + experts.down_proj.numel())
    return whole * int(router.top_k) // int(experts.num_experts) + int(router.weight.numel())


def layers(decoder: Any, rows: int, seen: int, count: int) -> float:
    """Estimates the operations of the first `count` layers of a language model over `rows` rows after `seen` others.

    The cache of a layer with a sliding window holds no more of these than the window does. A recurrent layer meets a
    state of fixed size.
    """
    total = 0.0
    alike: dict[bool, int] = {}  # layers of a kind have as many weights
    for layer in decoder.layers[:count]:
        attends = hasattr(layer, "self_attn")
        if attends not in alike:
            alike[attends] = weights(layer)
        total += 2.0 * rows * alike[attends]
        if not attends:
            total += recurrent(layer.linear_attn, rows)
            continue
        window = getattr(layer.self_attn, "sliding_window", None)
        keys = rows + (seen if window is None else min(seen, window - 1))
        total += 4.0 * rows * keys * decoder.config.num_attention_heads * layer.self_attn.head_dim
    return total


def recurrent(layer: Any, rows: int) -> float:
    """Estimates the operations of a gated delta rule over `rows` rows, which are cut into chunks.

    A row reads and writes a state of key x value channels per head three times, and meets its chunk.
    """
    key, value = layer.head_k_dim, layer.head_v_dim
    within = CHUNK * (5 * key + 3 * value) if rows > 1 else 0
    padded = rows if rows == 1 else -(-rows // CHUNK) * CHUNK
    return 1.0 * padded * layer.num_v_heads * (6 * key * value + within)


def tower(patches: int, weights: int, tokens: int, merging: int, met: float, width: int) -> float:
    """Estimates the operations of a vision tower: `weights` per patch, `merging` per token.

    `met` is how many patches a patch meets in all layers together, `width` that of their attention.
    """
    return 2.0 * (patches * weights + tokens * merging) + 4.0 * patches * met * width


def captured(decoder: Any, rows: int, seen: int) -> float:
    """Estimates the operations of attention that is computed once more at one layer, for `rows` rows."""
    attention = next(layer.self_attn for layer in decoder.layers if hasattr(layer, "self_attn"))
    width = decoder.config.num_attention_heads * attention.head_dim
    again = attention.q_proj.weight.numel() + attention.k_proj.weight.numel()
    return 2.0 * rows * (again + (seen + rows) * width) + 2.0 * seen * attention.k_proj.weight.numel()


def head(model: Any, rows: int) -> float:
    """Estimates the operations of `rows` rows of logits."""
    return 2.0 * rows * model.lm_head.weight.numel()
