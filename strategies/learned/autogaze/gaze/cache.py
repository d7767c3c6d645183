"""Keys and values of a stream, in buffers that are made larger now and then, so that a step copies only what is new.

The dynamic cache of transformers joins everything anew at each step.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

START = 512  # slots of a new buffer


class GrowingLayer(DynamicLayer):
    """Holds one layer's keys and values: buffers [B, H, capacity, depth], of which the first `length` are filled."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Appends keys and values [B, H, q, depth], and returns everything so far, as views."""
        end = self.length + key_states.shape[2]
        self._keys = _with_room(self._keys, key_states, self.length, end)
        self._values = _with_room(self._values, value_states, self.length, end)
        self._keys[:, :, self.length : end] = key_states
        self._values[:, :, self.length : end] = value_states
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def get_seq_length(self) -> int:
        """Returns how many slots are filled."""
        return self.length


def growing(layers: int) -> Cache:
    """Returns an empty cache of `layers` growing layers."""
    return Cache(layers=[GrowingLayer() for _ in range(layers)])


def _with_room(buffer: Tensor | None, like: Tensor, length: int, end: int) -> Tensor:
    if buffer is not None and end <= buffer.shape[2]:
        return buffer
    capacity = max(START, 2 * end)
    larger = torch.empty(*like.shape[:2], capacity, like.shape[3], dtype=like.dtype, device=like.device)
    if buffer is not None:
        larger[:, :, :length] = buffer[:, :, :length]
    return larger
