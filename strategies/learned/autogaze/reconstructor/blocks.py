"""The block of encoder and decoder: pre-norm self-attention under a mask, then a feed-forward layer.

States of earlier frames may be given as the keys and values that they left, so that they need not be computed again.
Source: masked autoencoders (arXiv 2111.06377).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

EPSILON = 1e-12  # of the norms, as published
KeysValues = tuple[Tensor, Tensor]  # [B, H, M, D / H] each


class Block(nn.Module):
    """Applies self-attention and a feed-forward layer to states: [B, N, D] -> [B, N, D]."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, states: Tensor, mask: Tensor, before: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        """Returns (new states, keys and values of all).

        `mask` bool [B or 1, N, M + N] says what each state may see. The first M are `before`.
        """
        normed = self.norm_attention(states)
        query, key, value = (self._split(part(normed)) for part in (self.query, self.key, self.value))
        if before is not None:
            key, value = torch.cat([before[0], key], 2), torch.cat([before[1], value], 2)
        read = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None])
        states = states + self.output(read.transpose(1, 2).flatten(2))
        return states + self.narrow(gelu(self.widen(self.norm_feed(states)))), (key, value)

    def _split(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)
