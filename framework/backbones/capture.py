"""Attention from text rows to visual columns, computed beside the fast kernel at the asked layers only.

A forward pre-hook sees what enters an attention module; queries and keys are recomputed from it with the module's own
projections, and only the rows that are asked for exist: never an [S, S] map. Works for attention modules with `q_proj`,
`k_proj`, `head_dim`, `scaling` and merged rotary embeddings; knows no prompt and no video.

Source: FlexSelect (arXiv 2506.00993), section 3.1: softmax over the full row, then the columns of the visual tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Enough(Exception):
    """Raised by a hook to end a forward pass whose remaining layers nobody asked for."""


@contextmanager
def hooked(modules: Mapping[int, nn.Module], seen: Callable[[int, nn.Module, Tensor, tuple[Tensor, Tensor]], None]) -> Iterator[None]:
    """Inside the block, `seen(layer, module, hidden [B, S, D], (cos, sin))` is called before each of `modules` runs.

    `Enough` raised by `seen` ends the block quietly. The hooks are gone afterwards, whatever happened.
    """

    def before(layer: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen(layer, module, kwargs["hidden_states"] if "hidden_states" in kwargs else args[0], kwargs["position_embeddings"])

        return hook

    handles = [module.register_forward_pre_hook(before(layer), with_kwargs=True) for layer, module in modules.items()]
    try:
        yield
    except Enough:
        return
    finally:
        for handle in handles:
            handle.remove()


def rotated(projection: nn.Module, module: nn.Module, hidden: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Queries or keys with rotary embedding, [B, heads, S, d]; `projection` is the module's q_proj or k_proj."""
    states = projection(hidden).unflatten(-1, (-1, module.head_dim)).transpose(1, 2)
    cos, sin = (part.unsqueeze(1) for part in rotary)
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat([-second, first], dim=-1) * sin


def attention_rows(queries: Tensor, keys: Tensor, scaling: float, window: int | None, columns: Tensor) -> Tensor:
    """Attention weights f32 [heads, L, N] of the last L of S positions, at `columns` (i64 [N]).

    `queries` [heads, L, d], `keys` [key heads, S, d]; query head h reads key head h // (heads / key heads). Softmax in fp32
    over everything the row may see: earlier positions and itself, in a sliding-window layer the last `window` of them.
    """
    heads, length, _ = queries.shape
    total = keys.shape[1]
    grouped = queries.float().unflatten(0, (len(keys), -1))  # [key heads, heads / key heads, L, d]
    scores = torch.einsum("ghld,gsd->ghls", grouped, keys.float()).flatten(0, 1) * scaling  # [heads, L, S]
    row = torch.arange(total - length, total, device=keys.device)[:, None]
    column = torch.arange(total, device=keys.device)
    hidden = column > row
    if window is not None:
        hidden = hidden | (column <= row - window)
    return scores.masked_fill(hidden, -math.inf).softmax(-1)[..., columns]
