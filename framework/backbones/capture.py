"""Attention from text rows to visual columns, computed beside the fast kernel at the asked layers only.

A forward pre-hook sees what enters an attention module; queries and keys are recomputed from it with the module's own
projections, and only the rows that are asked for exist: never an [S, S] map. Works for attention modules with `q_proj`,
`k_proj`, `head_dim`, `scaling` and merged rotary embeddings, and with `q_norm` and `k_norm` on a head's channels where
they have them. Knows no prompt and no video.

Source: FlexSelect (arXiv 2506.00993): softmax over the full row, then the columns of the visual tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Rotary = tuple[Tensor, Tensor]  # cosine and sine, each [B, S, d]
Seen = Callable[[int, Any, Tensor, Rotary], None]  # layer, attention module, hidden states [B, S, D], rotary


class Enough(Exception):
    """Ends a forward pass whose remaining layers nobody asked for; a hook raises it."""


@contextmanager
def hook(modules: Mapping[int, nn.Module], seen: Seen) -> Iterator[None]:
    """Calls `seen` before each of `modules` (layer -> attention module) runs inside the block.

    `Enough` raised by `seen` ends the block quietly. The hooks are gone afterwards, whatever happened.
    """

    def before(layer: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            seen(
                layer,
                module,
                kwargs["hidden_states"] if "hidden_states" in kwargs else args[0],
                kwargs["position_embeddings"],
            )

        return hook

    handles = [module.register_forward_pre_hook(before(layer), with_kwargs=True) for layer, module in modules.items()]
    try:
        yield
    except Enough:
        return
    finally:
        for handle in handles:
            handle.remove()


def turn_halves(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns channel i with channel i + d / 2: [B, heads, S, d] by angles [B, 1, S, d]. Most families do."""
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat([-second, first], dim=-1) * sin


@dataclass(frozen=True)
class Making:
    """Says how the attention of a family makes queries and keys of what its projections give."""

    gated_queries: bool = False  # q_proj gives a query and a gate for each head, one after the other
    turn: Callable[[Tensor, Tensor, Tensor], Tensor] = turn_halves  # states, cosine, sine -> turned states

    def queries(self, module: Any, hidden: Tensor, rotary: Rotary) -> Tensor:
        """Computes queries with rotary embedding, [B, heads, S, d]. The gate acts after attention and is left out."""
        norm = getattr(module, "q_norm", None)
        return rotate(module.q_proj, module, hidden, rotary, norm, self.turn, 2 if self.gated_queries else 1)

    def keys(self, module: Any, hidden: Tensor, rotary: Rotary) -> Tensor:
        """Computes keys with rotary embedding, [B, key heads, S, d]."""
        return rotate(module.k_proj, module, hidden, rotary, getattr(module, "k_norm", None), self.turn)


def rotate(
    projection: nn.Module,
    module: Any,
    hidden: Tensor,
    rotary: Rotary,
    norm: Callable[[Tensor], Tensor] | None = None,
    turn: Callable[[Tensor, Tensor, Tensor], Tensor] = turn_halves,
    parts: int = 1,
) -> Tensor:
    """Computes queries or keys with rotary embedding, [B, heads, S, d].

    `projection` is the module's q_proj or k_proj. It gives `parts` vectors for each head, of which the first is meant.
    `norm` is applied to each head. Where the angles are fewer than a head's channels, the first channels turn.
    """
    states = projection(hidden).unflatten(-1, (-1, parts * module.head_dim))[..., : module.head_dim]  # [B, S, heads, d]
    states = (states if norm is None else norm(states)).transpose(1, 2)
    cos, sin = (part.unsqueeze(1) for part in rotary)
    width = cos.shape[-1]
    turned = turn(states[..., :width], cos, sin)
    return turned if width == module.head_dim else torch.cat([turned, states[..., width:]], dim=-1)


def attention_rows(queries: Tensor, keys: Tensor, scaling: float, window: int | None, columns: Tensor) -> Tensor:
    """Computes attention weights f32 [heads, L, N] of the last L of S positions, at `columns` (i64 [N]).

    `queries` are [heads, L, d] and `keys` [key heads, S, d]. Query head h reads key head h // (heads / key heads). The
    softmax is in fp32 over everything the row may see: itself and what is earlier. In a sliding-window layer these are
    `window` positions.
    """
    length, total = queries.shape[1], keys.shape[1]
    grouped = queries.float().unflatten(0, (len(keys), -1))  # [key heads, heads / key heads, L, d]
    scores = torch.einsum("ghld,gsd->ghls", grouped, keys.float()).flatten(0, 1) * scaling  # [heads, L, S]
    row = torch.arange(total - length, total, device=keys.device)[:, None]
    column = torch.arange(total, device=keys.device)
    hidden = column > row
    if window is not None:
        hidden = hidden | (column <= row - window)
    return scores.masked_fill_(hidden, -math.inf).softmax(-1)[..., columns]


class TextAttention:
    """Records attention of text rows at the asked layers, where one prefix ran once and many texts continue it.

    `modules`: layer -> attention module. `columns`: i64 [N], the visual tokens' places in the prefix. `stop`: end every
    pass at the last asked layer, before its attention. `making`: how queries and keys come about. `gather`: makes
    the rows of all heads out of those of this process; None: it has all.
    """

    def __init__(
        self,
        modules: Mapping[int, nn.Module],
        columns: Tensor,
        stop: bool,
        making: Making | None = None,
        gather: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.modules, self.columns = modules, columns
        self.making = Making() if making is None else making
        self.gather = gather
        self.last = max(modules) if stop and modules else None
        self.keys: dict[int, Tensor] = {}  # of the prefix: a sliding-window layer's cache forgets most of them

    def of_prefix(self) -> AbstractContextManager[None]:
        """Returns a block to run the prefix (batch 1) in; its keys at the asked layers are recorded."""

        def seen(layer: int, module: Any, hidden: Tensor, rotary: Rotary) -> None:
            self.keys[layer] = self.making.keys(module, hidden, rotary)[0]
            self._enough(layer)

        return hook(self.modules, seen)

    def of_texts(self, lengths: Sequence[int], found: Sequence[dict[int, Tensor]]) -> AbstractContextManager[None]:
        """Returns a block to run right-padded texts of `lengths` in; `found[i][layer]` becomes f32 [heads, L, N]."""

        def seen(layer: int, module: Any, hidden: Tensor, rotary: Rotary) -> None:
            if layer in found[0]:  # a response token, which is no row
                return
            queries = self.making.queries(module, hidden, rotary)
            own = self.making.keys(module, hidden, rotary)
            columns, window = self.columns.to(hidden.device), getattr(module, "sliding_window", None)
            for i, length in enumerate(lengths):
                keys = torch.cat([self.keys[layer], own[i, :, :length]], dim=1)
                rows = attention_rows(queries[i, :, :length], keys, module.scaling, window, columns)
                found[i][layer] = rows if self.gather is None else self.gather(rows)
            self._enough(layer)

        return hook(self.modules, seen)

    def _enough(self, layer: int) -> None:
        if layer == self.last:
            raise Enough
