"""Many continuations of one cached prefix, without ever changing the prefix.

Layers are copied, never cropped: a sliding-window layer keeps only its last positions, so what was appended cannot be
taken back. A recurrent layer writes over its states in place, so its states are copied, too. Knows transformers'
`Cache`, no model family.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, LinearAttentionCacheLayerMixin


def recurrent(layer: Any) -> bool:
    """Says whether a layer of a `Cache` holds states that are written over in place."""
    return isinstance(layer, LinearAttentionCacheLayerMixin)


def widen(layer: Any, batch: int) -> Any:
    """Copies a layer of a `Cache` of batch 1 for `batch` continuations.

    Keys and values are views until something is appended. The states of a recurrent layer are copied.
    """
    layer = copy(layer)
    if recurrent(layer):
        _own_states(layer, batch)
    if isinstance(layer, CacheLayerMixin) and layer.is_initialized:
        layer.keys = layer.keys.expand(batch, -1, -1, -1)
        layer.values = layer.values.expand(batch, -1, -1, -1)
    return layer


def _own_states(layer: LinearAttentionCacheLayerMixin, batch: int) -> None:
    """Give a copied layer dictionaries and states of its own."""

    def widened(state: Any) -> Any:
        return state.repeat(batch, *[1] * (state.ndim - 1)) if isinstance(state, Tensor) else state

    for name, held in {**vars(layer)}.items():
        if isinstance(held, dict):
            setattr(layer, name, {key: widened(state) for key, state in held.items()})


def branch(prefix: Cache, batch: int) -> Cache:
    """Returns a cache that continues `prefix` (batch 1) `batch` times and remembers what is appended."""
    return Cache(layers=[widen(layer, batch) for layer in prefix.layers])


class ReadOnlyPrefix(Cache):
    """Lets one pass read a prefix that stays as it was: nothing appended is remembered.

    The memory of a pass is one layer of `batch` continuations, not all layers of them; but recurrent layers, whose
    states are small, are copied for all. One object serves one pass.
    """

    def __init__(self, prefix: Cache, batch: int = 1) -> None:
        super().__init__(layers=[widen(layer, batch) if recurrent(layer) else layer for layer in prefix.layers])

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Returns keys and values of prefix and new tokens of one layer, each [batch, heads, S, d]."""
        layer = widen(self.layers[layer_idx], len(key_states))
        return layer.update(key_states, value_states, *args, **kwargs)
