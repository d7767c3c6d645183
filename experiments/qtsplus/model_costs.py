"""What a published model of the Qwen2.5-VL family computes: its sizes, and the matrix products of encoding and reading.

Two operations per weight and position, plus attention; embeddings, norms and the head on one row are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

FRAMES_PER_TICK, SIDE = 2, 448  # frames of 448 x 448 pixels


@dataclass(frozen=True)
class Decoder:
    """Describes the language model's layers."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int

    @property
    def keys(self) -> int:
        """Returns the width of all keys together."""
        return self.kv_heads * self.width // self.heads

    @property
    def weights(self) -> int:
        """Counts the weights in the matrices of one layer."""
        return 2 * self.width**2 + 2 * self.width * self.keys + 3 * self.width * self.inner

    def read(self, tokens: int, layers: int | None = None) -> float:
        """Counts the operations of a causal pass over `tokens` through the first `layers` (None: all)."""
        return (self.layers if layers is None else layers) * 2.0 * (tokens * self.weights + tokens**2 * self.width)

    def point(self, tokens: int, text: int, layer: int) -> float:
        """Counts the operations of attention from `text` tokens to the `tokens` before them at `layer`.

        Layers are counted from 0, and the pass ends at that one.
        """
        rows = 2.0 * self.width * (text * self.width + (tokens + text) * self.keys + text * (tokens + text))
        return self.read(tokens + text, layer) + rows


@dataclass(frozen=True)
class Tower:
    """Describes the vision tower: most blocks attend within windows, some within a tick."""

    width: int
    depth: int
    inner: int
    full: int  # blocks that attend within a tick
    patch: int  # pixels
    merge: int  # patches a token is wide
    window: int  # pixels
    out: int

    def encode(self, ticks: int, side: int = SIDE) -> float:
        """Counts the operations that encode `ticks` of square frames, `side` pixels wide."""
        patches, seen = (side // self.patch) ** 2, (self.window // self.patch) ** 2
        block = 4 * self.width**2 + 3 * self.width * self.inner
        attention = 2 * self.width * (self.full * patches + (self.depth - self.full) * seen)
        embedding = 3 * FRAMES_PER_TICK * self.patch**2 * self.width
        merged = self.merge**2 * self.width
        merger = (merged**2 + merged * self.out) / self.merge**2
        return 2.0 * ticks * patches * (self.depth * block + attention + embedding + merger)

    def tokens(self, side: int = SIDE) -> int:
        """Counts the tokens of a tick."""
        return (side // self.patch // self.merge) ** 2


@dataclass(frozen=True)
class Model:
    """Describes a size of Qwen2.5-VL; `reference_layer` is as in conf/backbone."""

    decoder: Decoder
    tower: Tower
    reference_layer: int


def _tower(out: int) -> Tower:
    return Tower(width=1280, depth=32, inner=3420, full=4, patch=14, merge=2, window=112, out=out)


MODELS = {
    "3B": Model(Decoder(2048, 36, 16, 2, 11008), _tower(2048), 25),
    "7B": Model(Decoder(3584, 28, 28, 4, 18944), _tower(3584), 20),
}
