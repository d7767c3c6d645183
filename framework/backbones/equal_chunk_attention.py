"""Attention inside chunks in few calls, for vision towers that otherwise loop over their chunks in Python.

Register it once with `register()`, then ask for it by name for the vision tower alone:

    model.set_attn_implementation({"vision_config": equal_chunk_attention.NAME})

transformers passes chunk boundaries (`cu_seq_lens_q`) only to implementations whose name contains "flash"; hence the
name. The result is that of its own "sdpa" loop. It knows nothing of any model class, and changes none.

Where torch has attention over chunks of any length (`torch.nn.attention.varlen`, on CUDA in half precision), that is
one call. Elsewhere chunks of one length share calls (`chunks.py`). A caller that knows the chunks on the CPU hands over
plans of them (`chunks`), so that no block reads boundaries back from the device.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from framework.backbones.chunks import Chunks, plan
from framework.backbones.devices import home

NAME = "equal_chunk_like_flash"
WIDEST = 256  # a head of flash attention, which takes multiples of 8


def equal_chunk_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int | None = None,
    chunks: Mapping[int, Chunks] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Computes bidirectional attention inside each chunk.

    Query, key and value are [1, heads, S, d]; the result is [1, S, heads, d]. `chunks`: number of chunks -> their plan,
    which then counts instead of the boundaries. Raises ValueError without chunk boundaries.
    """
    if cu_seq_lens_q is None:
        raise ValueError(
            f"attention implementation {NAME!r} serves vision towers only: no chunk boundaries were passed"
        )
    if chunks is not None:
        return in_parts(query, key, value, chunks[len(cu_seq_lens_q) - 1], scaling, dropout), None
    varlen = varlen_attention()
    if dropout == 0 and varlen is not None and fits_varlen(query.device, query.dtype, query.shape[-1]):
        longest = int(cu_seq_lens_q.diff().max()) if max_length_q is None else max_length_q
        rows = (tensor[0].transpose(0, 1) for tensor in (query, key, value))  # [S, heads, d] each
        return varlen(*rows, cu_seq_lens_q, cu_seq_lens_q, longest, longest, scale=scaling)[None], None
    planned = plan(cu_seq_lens_q.cpu(), query.device)
    return in_parts(query, key, value, planned, scaling, dropout), None


def in_parts(
    query: Tensor, key: Tensor, value: Tensor, chunks: Chunks, scaling: float | None, dropout: float
) -> Tensor:
    """Computes attention inside chunks, [1, heads, S, d] each -> [1, S, heads, d]. Repeats share a call."""
    rows = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]  # [S, heads, d]
    if chunks.order is not None:
        rows = [tensor.index_select(0, chunks.order.to(tensor.device)) for tensor in rows]
    lengths = [repeats * sum(sizes) for repeats, sizes in chunks.parts]
    outputs = []
    for (repeats, sizes), *part in zip(chunks.parts, *(tensor.split(lengths) for tensor in rows), strict=True):
        # [repeats * length, heads, d] -> chunk by chunk [repeats, heads, size, d]
        cut = (tensor.unflatten(0, (repeats, -1)).transpose(1, 2).split(sizes, dim=2) for tensor in part)
        attended = [
            scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
            for q, k, v in zip(*cut, strict=True)
        ]
        outputs.append(torch.cat(attended, dim=2).transpose(1, 2).flatten(0, 1))  # [repeats * length, heads, d]
    result = torch.cat(outputs)
    return (result if chunks.back is None else result.index_select(0, chunks.back.to(result.device)))[None]


def fits_varlen(device: torch.device, dtype: torch.dtype, width: int) -> bool:
    """Says whether flash attention over chunks of any length takes heads of `width` on that device.

    It needs CUDA with compute capability 8.0 or more, half precision, and widths that are multiples of 8 up to 256.
    """
    if device.type != "cuda" or dtype not in (torch.float16, torch.bfloat16) or width % 8 or width > WIDEST:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


@lru_cache(maxsize=1)
def varlen_attention() -> Callable[..., Tensor] | None:
    """Returns `torch.nn.attention.varlen.varlen_attn`; None where this torch has none, or one without `scale`."""
    try:
        found: Callable[..., Tensor] = importlib.import_module("torch.nn.attention.varlen").varlen_attn
    except (ImportError, AttributeError):
        return None
    return found if "scale" in inspect.signature(found).parameters else None


def plans_serve(tower: Any) -> bool:
    """Says whether plans of chunks serve a tower's blocks: they run this attention, and not in calls of any length."""
    config = tower.config
    if config._attn_implementation != NAME:
        return False
    width = config.hidden_size // config.num_heads
    return varlen_attention() is None or not fits_varlen(home(tower), tower.dtype, width)


def register() -> str:
    """Registers the implementation with transformers and returns its name. It is safe to call again."""
    AttentionInterface.register(NAME, equal_chunk_attention)
    return NAME
