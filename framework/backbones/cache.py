"""Many continuations of one cached prefix, without ever changing the prefix.

Layers are copied, never cropped: a sliding-window layer keeps only its last positions, so what was appended cannot be
taken back. Knows transformers' `Cache`, no model family.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


def widen(layer: CacheLayerMixin, batch: int) -> CacheLayerMixin:
    """Copies a cache layer of batch 1 for `batch` continuations. The copy holds views until something is appended."""
    layer = copy(layer)
    if layer.is_initialized:
        layer.keys = layer.keys.expand(batch, -1, -1, -1)
        layer.values = layer.values.expand(batch, -1, -1, -1)
    return layer


def branch(prefix: Cache, batch: int) -> Cache:
    """Returns a cache that continues `prefix` (batch 1) `batch` times and remembers what is appended."""
    return Cache(layers=[widen(layer, batch) for layer in prefix.layers])


class ReadOnlyPrefix(Cache):
    """Lets one pass read a prefix that stays as it was: nothing appended is remembered.

    The memory of a pass is one layer of `batch` continuations, not all layers of them.
    """

    def __init__(self, prefix: Cache) -> None:
        super().__init__(layers=prefix.layers)

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Returns keys and values of prefix and new tokens of one layer, each [batch, heads, S, d]."""
        layer = widen(self.layers[layer_idx], len(key_states))
        return layer.update(key_states, value_states, *args, **kwargs)
