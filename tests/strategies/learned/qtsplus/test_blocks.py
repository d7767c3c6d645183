"""The largest attention in chunks against the whole map; the block against plain attention."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from strategies.learned.qtsplus.blocks import Block, Compare, largest_attention

TOKENS = 23


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    noise = torch.Generator().manual_seed(7)
    queries = torch.randn(2, 6, 5, 4, generator=noise, requires_grad=True)
    keys = torch.randn(2, 3, TOKENS, 4, generator=noise, requires_grad=True)
    query_mask, mask = torch.ones(2, 5, dtype=torch.bool), torch.ones(2, TOKENS, dtype=torch.bool)
    query_mask[1, 3:], mask[1, 15:] = False, False
    return queries, keys, query_mask, mask


def whole(queries: Tensor, keys: Tensor, query_mask: Tensor, mask: Tensor) -> Tensor:
    """Ln of the maximum of the softmax over tokens, with all of [B, H, L, M] in memory."""
    repeated = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
    logits = queries @ repeated.transpose(2, 3) / math.sqrt(queries.shape[3])
    shares = logits.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)
    largest = shares.masked_fill(~query_mask[:, None, :, None], 0.0).amax((1, 2))
    return largest.masked_fill(~mask, 1.0).log().masked_fill(~mask, -torch.inf)


@pytest.mark.parametrize("chunk", [1, 7, TOKENS])
def test_chunks_are_the_whole(chunk: int) -> None:
    queries, keys, query_mask, mask = inputs()
    found = [f(queries, keys, query_mask, mask) for f in (lambda *a: largest_attention(*a, chunk), whole)]
    torch.testing.assert_close(found[0], found[1])
    weight = torch.linspace(-1, 1, TOKENS)
    gradients = [torch.autograd.grad((f[mask] * weight.expand(2, -1)[mask]).sum(), (queries, keys)) for f in found]
    for ours, direct in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, direct)


def test_half_precision_around_it_changes_nothing() -> None:
    queries, keys, query_mask, mask = inputs()
    plain = largest_attention(queries, keys, query_mask, mask, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(largest_attention(queries, keys, query_mask, mask, 7), plain)


def test_a_block_by_plain_attention() -> None:
    torch.manual_seed(0)
    block = Block(16, 4, 2, key_bias=True, dropout=0.0)
    states, others, mask = torch.randn(2, 3, 16), torch.randn(2, 5, 16), torch.ones(2, 5, dtype=torch.bool)
    mask[1, 2:] = False
    q, k, v = block.q_proj(block.q_norm(states)), *(p(block.kv_norm(others)) for p in (block.k_proj, block.v_proj))
    heads = []
    for head in range(4):
        mine, pair = slice(4 * head, 4 * head + 4), slice(4 * (head // 2), 4 * (head // 2) + 4)
        logits = q[..., mine] @ k[..., pair].transpose(1, 2) / 2
        heads.append(logits.masked_fill(~mask[:, None], -torch.inf).softmax(-1) @ v[..., pair])
    after = states + block.o_proj(torch.cat(heads, -1))
    torch.testing.assert_close(block(states, others, mask), after + block.ffn(block.ffn_norm(after)))


@pytest.mark.parametrize(("width", "heads", "kv_heads"), [(16, 3, 3), (16, 4, 3)])
def test_heads_must_divide(width: int, heads: int, kv_heads: int) -> None:
    with pytest.raises(ValueError, match="heads must divide the width and kv_heads the heads"):
        Compare(width, heads, kv_heads, False)
