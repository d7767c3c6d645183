"""Attention over all chunks of equal length in one call, for vision towers that otherwise loop over them in Python.

Register it once with `register()`, then ask for it by name for the vision tower alone:

    model.set_attn_implementation({"vision_config": equal_chunk_attention.NAME})

transformers passes chunk boundaries (`cu_seq_lens_q`) only to implementations whose name contains "flash"; hence the
name. The result is that of its own "sdpa" loop. It knows nothing of any model class, and changes none.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "equal_chunk_like_flash"


def equal_chunk_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Computes bidirectional attention inside each chunk.

    Query, key and value are [1, heads, S, d]; the result is [1, S, heads, d]. Chunks of one length share one call.
    Ragged ones (windows at an edge, or of which tokens were dropped) are brought together first. So there are as many
    calls as lengths, not as chunks. Raises ValueError without chunk boundaries.
    """
    if cu_seq_lens_q is None:
        raise ValueError(
            f"attention implementation {NAME!r} serves vision towers only: no chunk boundaries were passed"
        )
    lengths = torch.diff(cu_seq_lens_q.cpu()).long()  # [chunks]
    sizes, runs = lengths.unique(return_counts=True)
    order = None
    if len(sizes) > 1:  # positions by the length of their chunk
        order = lengths.repeat_interleave(lengths).argsort(stable=True).to(query.device)  # [S]
        query, key, value = (x[:, :, order] for x in (query, key, value))
    outputs, start = [], 0
    for size, run in zip(sizes.tolist(), runs.tolist(), strict=True):
        stop = start + size * run
        # [1, heads, size * run, d] -> [run, heads, size, d]
        q, k, v = (x[0, :, start:stop].unflatten(1, (run, size)).transpose(0, 1) for x in (query, key, value))
        attended = scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        outputs.append(attended.transpose(1, 2).flatten(0, 1))  # [size * run, heads, d]
        start = stop
    result = torch.cat(outputs)
    return (result if order is None else result[order.argsort()])[None], None


def register() -> str:
    """Registers the implementation with transformers and returns its name. It is safe to call again."""
    AttentionInterface.register(NAME, equal_chunk_attention)
    return NAME
