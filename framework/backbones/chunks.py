"""How a sequence whose positions attend to each other within chunks is brought to few attention calls.

The plan is made of numbers on the CPU, once per pass of a vision tower, and serves all blocks: nothing is read back
from the device in between. Knows no tower.

Where the same chunks follow again and again, as the windows of one tick after those of another do, the n-th of all
repeats share a call, and nothing is moved. Chunks that follow no pattern are brought together by length, where calls
for each of them would cost more than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WORTH = {"cpu": 16}  # positions of a call that costs less than to bring chunks together
ELSEWHERE = 512  # of a device where a call has to be launched


@dataclass(frozen=True)
class Chunks:
    """Holds which positions attend to each other, as parts that lie one after the other."""

    parts: tuple[tuple[int, tuple[int, ...]], ...]  # (repeats, lengths of the chunks that are repeated)
    order: Tensor | None = None  # i64 [S], positions in the order of the parts, on the device; None: they lie so
    back: Tensor | None = None  # i64 [S], its inverse


def plan(bounds: Tensor, device: torch.device) -> Chunks:
    """Plans a pass on `device`, given where chunks begin and end: i32 [chunks + 1], on the CPU."""
    lengths = bounds.diff().long()
    repeats = _repeats(lengths)
    sizes = lengths[: len(lengths) // repeats].tolist()
    if len(sizes) == 1 or int(bounds[-1]) >= WORTH.get(device.type, ELSEWHERE) * len(sizes):
        return Chunks(((repeats, tuple(sizes)),))
    order = lengths.repeat_interleave(lengths).argsort(stable=True)
    known, counts = lengths.unique(return_counts=True)
    parts = tuple((count, (size,)) for count, size in zip(counts.tolist(), known.tolist(), strict=True))
    return Chunks(parts, order.to(device, non_blocking=True), order.argsort().to(device, non_blocking=True))


def _repeats(lengths: Tensor) -> int:
    """How many times the lengths say the same, at most."""
    count = len(lengths)
    divisors = (repeats for repeats in range(count, 0, -1) if count % repeats == 0)
    return next(n for n in divisors if bool((lengths.view(n, -1) == lengths[: count // n]).all()))
