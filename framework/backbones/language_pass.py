"""Runs a stock language model over embeddings after what a cache holds, and says which cache continues a prefix.

Where questions share the keys of a prefix (`prefix_attention.py`), that attention is chosen for the one call and the
model is as before afterwards. Knows no prompt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from framework.backbones import prefix_attention
from framework.backbones.cache import ReadOnlyPrefix, branch, recurrent
from framework.backbones.devices import homes
from framework.backbones.prefix_attention import Continuation


def continuation(decoder: Any, prefix: Cache, batch: int, remember: bool) -> Cache:
    """Returns a cache that continues `prefix` (batch 1) `batch` times and leaves it as it was.

    `remember`: what is appended will be read by later passes.
    """
    if decoder.config._attn_implementation == "sdpa" and not any(map(recurrent, prefix.layers)):
        width = decoder.layers[0].self_attn.head_dim
        if all(prefix_attention.serves(device, decoder.dtype, width) for device in homes(decoder.layers)):
            return Continuation(prefix, batch)
    return branch(prefix, batch) if remember else ReadOnlyPrefix(prefix, batch)


def states(decoder: Any, embeddings: Tensor, positions: Tensor, cache: Cache | None, **more: Any) -> Tensor:
    """Computes hidden states [B, S, D] of `embeddings` [B, S, D] with ids i64 [A, B, S], after what `cache` holds.

    Ids of one axis are handed over without it. Nothing is padding but what stands at the end of a row, which no earlier
    position sees: the mask of ones says that all is one text, whatever the ids. `more` goes to the model as it is.
    """
    given = {
        "inputs_embeds": embeddings,
        "position_ids": (positions if len(positions) > 1 else positions[0]).to(embeddings.device),
        cache_argument(type(decoder).forward): cache,
        "use_cache": cache is not None,
        **more,
    }
    if isinstance(cache, Continuation):
        with _attention(decoder.config, prefix_attention.register()):
            output = decoder(**given, attention_mask=None, prefix=cache.prefix)
    else:
        seen = cache.get_seq_length() if cache is not None else 0
        mask = torch.ones(len(embeddings), seen + embeddings.shape[1], dtype=torch.long, device=embeddings.device)
        output = decoder(**given, attention_mask=mask)
    found: Tensor = output.last_hidden_state
    return found


@lru_cache
def cache_argument(forward: Callable[..., object]) -> str:
    """Returns what a forward pass of transformers calls the cache: `past_key_values`, or `cache` in newer versions."""
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


@contextmanager
def _attention(config: Any, name: str) -> Iterator[None]:
    before = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = before
