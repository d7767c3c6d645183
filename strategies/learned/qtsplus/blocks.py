"""The block that QTSplus is made of: pre-norm attention from one sequence to another, then a feed-forward layer.

No rotary positions and no causal mask: on its own it does not know the order of what it reads. Masks are explicit, so a
sample does not depend on what it is batched with. Parameter names are those of the official state dict.

Source: QTSplus (arXiv 2511.11910) and its published code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

EPSILON = 1e-6  # of the norms


class FeedForward(nn.Module):
    """Applies Linear, GELU and Linear, with a fourfold inner width, then dropout."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, states: Tensor) -> Tensor:
        """Applies the layers to states [..., D] and returns [..., D]."""
        return self.net(states)


class Compare(nn.Module):
    """Compares queries of one sequence with keys of another: what the last scoring block needs, and no more."""

    def __init__(self, width: int, heads: int, kv_heads: int, key_bias: bool) -> None:
        super().__init__()
        if width % heads or heads % kv_heads:
            raise ValueError(f"heads must divide the width and kv_heads the heads, got {width}, {heads}, {kv_heads}")
        self.heads, self.kv_heads, self.depth = heads, kv_heads, width // heads
        self.q_norm, self.kv_norm = nn.RMSNorm(width, EPSILON), nn.RMSNorm(width, EPSILON)
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, kv_heads * self.depth, bias=key_bias)

    def queries(self, states: Tensor) -> Tensor:
        """Returns the queries [B, H, L, D / H] of states [B, L, D]."""
        return self._split(self.q_proj(self.q_norm(states)), self.heads)

    def keys(self, others: Tensor) -> Tensor:
        """Returns the keys [B, Hkv, M, D / H] of the other sequence [B, M, D]."""
        return self._split(self.k_proj(self.kv_norm(others)), self.kv_heads)

    def _split(self, states: Tensor, heads: int) -> Tensor:
        return states.unflatten(-1, (heads, self.depth)).transpose(1, 2)


class Block(Compare):
    """Updates `states` by reading `others`: one pre-norm attention layer with its feed-forward layer."""

    def __init__(self, width: int, heads: int, kv_heads: int, key_bias: bool, dropout: float) -> None:
        super().__init__(width, heads, kv_heads, key_bias)
        self.v_proj = nn.Linear(width, kv_heads * self.depth)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, EPSILON)
        self.ffn = FeedForward(width, dropout)

    def forward(self, states: Tensor, others: Tensor, mask: Tensor) -> Tensor:
        """Returns states [B, L, D] after they have read `others` [B, M, D] where `mask` (bool [B, M]) is true."""
        values = self._split(self.v_proj(self.kv_norm(others)), self.kv_heads)
        read = scaled_dot_product_attention(
            self.queries(states), self.keys(others), values, attn_mask=mask[:, None, None], enable_gqa=True
        )
        states = states + self.o_proj(read.transpose(1, 2).flatten(2))
        return states + self.ffn(self.ffn_norm(states))


def largest_attention(queries: Tensor, keys: Tensor, query_mask: Tensor, mask: Tensor, chunk: int) -> Tensor:
    """Returns ln r, f32 [B, M]: the logarithm of the largest attention that each token is paid.

    It is the largest over all heads and all question tokens: r_i = max over h, l of softmax_i(q_hl . k_i /
    sqrt(depth)). `queries` [B, H, L, depth], `keys` [B, Hkv, M, depth], `query_mask` bool [B, L], `mask` bool [B, M];
    masked tokens get -inf. The [H, L, M] map is never held. It is computed for `chunk` tokens at a time: once for the
    normaliser, once for the maximum, and again in the backward pass.
    """
    heads, depth = queries.shape[1], queries.shape[3]
    grouped = queries.float().reshape(len(queries), keys.shape[1], -1, depth) * depth**-0.5  # [B, Hkv, HL / Hkv, depth]
    voters = query_mask[:, None, None].expand(-1, keys.shape[1], heads // keys.shape[1], -1).flatten(2)
    pieces = [(keys[:, :, i : i + chunk].float(), mask[:, i : i + chunk]) for i in range(0, keys.shape[2], chunk)]
    total = torch.stack([_again(_normaliser, grouped, *piece) for piece in pieces]).logsumexp(0)
    return torch.cat([_again(_largest, grouped, *piece, total, voters) for piece in pieces], dim=1)


def _again(function, *arguments):  # type: ignore[no-untyped-def]
    """Compute now, and once more in the backward pass instead of keeping what lies between."""
    if torch.is_grad_enabled():
        return checkpoint(function, *arguments, use_reentrant=False)
    return function(*arguments)


def _logits(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    with torch.autocast(queries.device.type, enabled=False):
        return (queries @ keys.transpose(2, 3)).masked_fill(~mask[:, None, None], float("-inf"))


def _normaliser(queries: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
    return _logits(queries, keys, mask).logsumexp(-1)


def _largest(queries: Tensor, keys: Tensor, mask: Tensor, total: Tensor, voters: Tensor) -> Tensor:
    share = _logits(queries, keys, mask) - total[..., None]
    return share.masked_fill(~voters[..., None], float("-inf")).amax((1, 2))
