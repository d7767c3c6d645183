"""Brings chosen tokens of several groups together in temporal order. Every embedding is copied once, to its last place.

Knows no session: it is handed what is held, and the rows to take of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from framework.core.types import Tokens

ROWS = 256  # copied at a time: what lies between two places stays in the processor's cache

CPU = torch.device("cpu")
Part = tuple[Tokens, Tensor]  # tokens of a group, and the rows i64 [k] to take of them


def in_order(parts: Sequence[Part], device: torch.device = CPU) -> tuple[Tokens, Tensor]:
    """Returns the chosen tokens of all parts [C] on `device`, by tick; those of one tick part by part.

    The second value says where each comes from: i64 [C] on the CPU, where the parts are, a place in the chosen rows of
    all parts, one after the other. Raises ValueError where there is no part.
    """
    if not parts:
        raise ValueError("no tokens to gather")
    order = torch.cat([tokens.tick[rows] for tokens, rows in parts]).argsort(stable=True)
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order))
    to = places.split([len(rows) for _, rows in parts])
    chosen = [rows for _, rows in parts]

    def gathered(values: list[Tensor]) -> Tensor:
        shape = len(order), *values[0].shape[1:]
        whole = torch.empty(shape, dtype=values[0].dtype, pin_memory=device.type == "cuda")
        for value, rows, at in zip(values, chosen, to, strict=True):
            for some, there in zip(rows.split(ROWS), at.split(ROWS), strict=True):
                whole.index_copy_(0, there, value.index_select(0, some))
        return whole.to(device, non_blocking=True)

    names = [f.name for f in fields(Tokens) if f.name != "extra"]
    found = {name: gathered([getattr(tokens, name) for tokens, _ in parts]) for name in names}
    extra = {key: gathered([tokens.extra[key] for tokens, _ in parts]) for key in parts[0][0].extra}
    return Tokens(**found, extra=extra), order
