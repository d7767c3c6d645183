"""Removes the less worthy of the closest pair, one at a time, comparing no more pairs than it must.

Where similarity cannot exceed a bound that falls with distance in time, far pairs need not be compared while nearer
ones are more similar than they could be. So the search begins in a narrow band, and widens it once the best pair left
has fallen to the bound at its edge. What is removed is the same as if all pairs had been compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from framework.ops.similarity import Blocks, LivingNeighbours

SLACK = 1 + 1e-6  # of the bound, for similarities in single precision


def remove_closest(
    rank: np.ndarray,
    count: int,
    compare: Callable[[Tensor, float], Blocks],
    reach: float,
    widest: float,
    bound: Callable[[float], float],
) -> tuple[np.ndarray, np.ndarray]:
    """Removes `count` of n tokens. Returns which are left, bool [n], and each removed one's partner then, i64 [n].

    `rank` i64 [n] is 0 for the token that is worth most. `compare(rows, reach)` compares tokens with all that lie at
    most `reach` seconds away; `bound(reach)` is the most that a pair farther apart can have. The band begins at
    `reach` and doubles up to `widest`, beyond which nothing is related. A partner is -1 where there was none.
    """

    def within(reach: float) -> Callable[[Tensor], Blocks]:
        return lambda rows: compare(rows, reach)

    reach = min(reach, widest)
    near = LivingNeighbours(len(rank), within(reach))
    partner = near.partner.copy()
    while count > 0:
        if reach < widest and not near.similarity.max() > bound(reach) * SLACK:
            reach = min(2 * reach, widest)
            near = LivingNeighbours(len(rank), within(reach), near.alive)
            continue
        closest = near.closest()
        victim = int(closest[rank[closest].argmax()])
        partner[victim] = near.partner[victim]
        near.remove(victim)
        count -= 1
    return near.alive, partner


def exponential(sigma: float) -> Callable[[float], float]:
    """Returns the bound of a cosine times exp(-distance / sigma)."""
    return lambda reach: math.exp(-reach / sigma)
