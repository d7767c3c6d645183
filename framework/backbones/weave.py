"""A prefix woven of pieces: text by ids, rows that a family has made itself, and slices of the visual tokens.

What stands between the ticks of a video (a time, a bracket, a newline) is text to the language model: no row that it is
asked about, and no column whose attention is captured. Knows no family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from framework.core.types import Tokens

Piece = Tensor | slice  # text ids i64 [n], rows [n, D], or a range of the visual tokens


def weave(pieces: Sequence[Piece], tokens: Tokens, embed: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Returns (embeddings [P, D] of all pieces in their order, columns i64 [N] of the visual tokens among the P).

    `embed` turns ids into embeddings; it is called once. Raises ValueError where the slices are not all N tokens, in
    order.
    """
    ids = [piece for piece in pieces if isinstance(piece, Tensor) and not piece.is_floating_point()]
    text = embed(torch.cat(ids) if ids else torch.empty(0, dtype=torch.long))
    words = iter(text.split([len(piece) for piece in ids]))
    visual = tokens.embeddings.to(text)
    parts, columns, length, seen = [], [], 0, 0
    for piece in pieces:
        if isinstance(piece, slice):
            part = visual[piece]
            if piece.start != seen:
                raise ValueError(f"the pieces of a prefix go on with token {piece.start}, expected {seen}")
            columns.append(torch.arange(length, length + len(part)))
            seen += len(part)
        else:
            part = piece.to(text) if piece.is_floating_point() else next(words)
        parts.append(part)
        length += len(part)
    if seen != len(tokens):
        raise ValueError(f"the pieces of a prefix hold {seen} of {len(tokens)} visual tokens")
    return torch.cat(parts), torch.cat([torch.empty(0, dtype=torch.long), *columns])


def ticks_of(tokens: Tokens) -> tuple[Tensor, list[slice]]:
    """Returns (timeline indices i64 [Tk] of the ticks that hold a token, the slice of tokens of each).

    Raises ValueError where the tokens are not tick by tick, in order.
    """
    ticks, counts = tokens.tick.cpu().unique_consecutive(return_counts=True)
    if bool((ticks.diff() <= 0).any()):
        raise ValueError("the visual tokens must come tick by tick, in order of time")
    ends = counts.cumsum(0).tolist()
    return ticks, [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def with_empty(ticks: Tensor, parts: list[slice], total: int) -> list[slice]:
    """Returns the slice of tokens of each of `total` ticks, those of `ticks` (as in `ticks_of`) being `parts`."""
    found = dict(zip(ticks.tolist(), parts, strict=True))
    slices, seen = [], 0
    for tick in range(total):
        slices.append(found.get(tick, slice(seen, seen)))
        seen = slices[-1].stop
    return slices
