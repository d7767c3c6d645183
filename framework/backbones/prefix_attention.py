"""Attention of many continuations to one prefix, whose keys are neither repeated per question nor per head.

Every row of every question sees all of the prefix. So they are rows of one unmasked call against it, heads that share
keys among them. What a question's rows see of its own text is a small causal call. Both are joined by their
log-sum-exps: with a = logsumexp of the scores in the prefix and b = that of the own text,

    output = sigmoid(a - b) * output in the prefix + sigmoid(b - a) * output in the own text

Registered with transformers by name; the cache hands over what was appended (`Continuation`). Layers with a sliding
window run as in its "sdpa". No gradients.
"""

from __future__ import annotations

import importlib
import inspect
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from framework.backbones.cache import widen
from framework.backbones.equal_chunk_attention import fits_varlen, varlen_attention

NAME = "sdpa_after_prefix"
Attended = tuple[Tensor, Tensor]  # [B, heads, S, d] and the log-sum-exp of the scores, f32 [B, heads, S]


class Continuation(Cache):
    """Continues `prefix` (batch 1) `batch` times, and never changes it. What is appended is remembered.

    Layers that see the whole prefix hand over the appended part alone; `prefix_attention` reads the rest from `prefix`.
    """

    def __init__(self, prefix: Cache, batch: int) -> None:
        super().__init__(
            layers=[widen(layer, batch) if layer.is_sliding else DynamicLayer() for layer in prefix.layers]
        )
        self.prefix = prefix


def prefix_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    prefix: Cache | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Computes attention of S rows [B, heads, S, d] to a prefix and to T >= S positions of their own text.

    `key` and `value` are [B, key heads, T, d], and either S = T or S = 1. Returns [B, S, heads, d].
    """
    if prefix is None or prefix.layers[module.layer_idx].is_sliding:
        own: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **more
        )
        return own
    if query.shape[2] not in (1, key.shape[2]):
        raise ValueError(f"expected one row or one per position, got {query.shape[2]} rows, {key.shape[2]} positions")
    layer = prefix.layers[module.layer_idx]
    batch, groups, rows = len(query), key.shape[1], query.shape[2]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    # [B, heads, S, d] -> [1, key heads, heads / key heads * B * S, d]
    folded = query.unflatten(1, (groups, -1)).permute(1, 2, 0, 3, 4).flatten(1, 3)[None]
    before = attend(folded, layer.keys, layer.values, scale, False)
    seen, sums = (tensor[0].unflatten(1, (-1, batch, rows)).movedim(2, 0).flatten(1, 2) for tensor in before)
    many = query.shape[1] // groups
    text = attend(query, key.repeat_interleave(many, 1), value.repeat_interleave(many, 1), scale, rows > 1)
    return join((seen, sums), text).transpose(1, 2), None


def join(one: Attended, other: Attended) -> Tensor:
    """Joins attention to two sets of keys into attention to both, [B, heads, S, d]."""
    weight = (other[1] - one[1]).sigmoid()[..., None]  # of the other
    return one[0].float().lerp(other[0].float(), weight).to(one[0].dtype)


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool) -> Attended:
    """Computes attention and its log-sum-exps; as many heads of queries as of keys."""
    if query.device.type == "cpu":
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        found: Attended = kernel(query, key, value, 0.0, causal, scale=scale)
        return found
    return _in_one_call(query, key, value, scale, causal)


def _in_one_call(query: Tensor, key: Tensor, value: Tensor, scale: float, causal: bool) -> Attended:
    """By torch's attention over sequences of any length, on CUDA: the batch is one sequence after the other."""
    varlen: Any = importlib.import_module("torch.nn.attention.varlen")
    batch, heads, rows = query.shape[:3]
    seen = key.shape[2]
    ends, ends_seen = (
        torch.arange(0, batch * length + 1, length, dtype=torch.int32, device=query.device) for length in (rows, seen)
    )
    q, k, v = (tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value))  # [B * S, heads, d]
    window, sums_too = (-1, 0) if causal else (-1, -1), varlen.AuxRequest(lse=True)
    out, sums = varlen.varlen_attn(
        q, k, v, ends, ends_seen, rows, seen, scale=scale, window_size=window, return_aux=sums_too
    )
    sums = sums if sums.shape[0] == heads else sums.T  # [heads, B * S]; torch documents the other order
    return out.unflatten(0, (batch, rows)).transpose(1, 2), sums.unflatten(1, (batch, rows)).transpose(0, 1)


@lru_cache(maxsize=1)
def sums_on_cuda() -> bool:
    """Says whether torch's attention over sequences of any length returns log-sum-exps and takes a window."""
    varlen = varlen_attention()
    return varlen is not None and {"return_aux", "window_size"} <= set(inspect.signature(varlen).parameters)


def serves(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Says whether there is a kernel here that returns log-sum-exps, for heads of `width`."""
    if device.type == "cpu":
        return hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")
    return fits_varlen(device, dtype, width) and sums_on_cuda()


def register() -> str:
    """Registers the implementation with transformers and returns its name. It is safe to call again."""
    AttentionInterface.register(NAME, prefix_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME
