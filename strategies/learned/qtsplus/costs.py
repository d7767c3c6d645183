"""Counts the floating point operations of a QTSplus selector: its matrix products, 2 per weight and position.

They are counted as `blocks.py` computes them. The scores' logits are made twice (normaliser, maximum). Attention among
the kept tokens is whole, not causal. Norms, softmax and sorting are left out.
"""

from __future__ import annotations

from strategies.learned.qtsplus.budget import HIDDEN
from strategies.learned.qtsplus.selector import TIME_WIDTH, Shape


def scoring(shape: Shape, tokens: int, text: int) -> float:
    """Counts the operations of scores and ratio of `tokens` visual tokens, for a question of `text` tokens."""
    width, keys = shape.width, _keys(shape)
    reading = (shape.scoring_layers - 1) * _block(shape, text, tokens)
    last = 2.0 * text * width**2 + 2.0 * tokens * width * keys + 2 * (2.0 * text * tokens * width)
    return reading + last + 2.0 * HIDDEN * (width + 3 + 1)


def reencoding(shape: Shape, kept: int) -> float:
    """Counts the operations of re-encoding: `kept` tokens read each other, time included."""
    time = 2.0 * kept * TIME_WIDTH * shape.width if shape.time else 0.0
    return time + shape.reencode_layers * _block(shape, kept, kept)


def _block(shape: Shape, reading: int, read: int) -> float:
    """A block where `reading` tokens attend to `read`: q, o and the fourfold feed-forward; k and v; attention."""
    per_reader, per_read = 10 * shape.width**2, 2 * shape.width * _keys(shape)
    return 2.0 * reading * per_reader + 2.0 * read * per_read + 4.0 * reading * read * shape.width


def _keys(shape: Shape) -> int:
    return shape.kv_heads * shape.width // shape.heads
