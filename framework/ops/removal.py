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
NEAR = 0.5  # sigmas: where the band begins where nothing better is known; changes the speed alone
ROOM = 1 - 1e-3  # of the similarity that a band is made for: it may be rounded otherwise there


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


def first_reach(links: Tensor, count: int, sigma: float) -> float:
    """Returns a reach, in seconds, at which `count` tokens can be removed without widening the band.

    `links` f32 [n - 1] are similarities of pairs that form a chain: every token is in at most two of them. So what has
    been removed before the last token broke at most 2 x count - 2 links, and one of the 2 x count - 1 best is whole: no
    pair that is removed from is less similar than the worst of these. Pairs beyond the reach are, for all similarities
    are at most `exponential(sigma)`. Where there are fewer links, or unlike ones, it is NEAR x sigma.
    """
    enough = 2 * count - 1
    worst = float(links.topk(enough).values[-1]) if 0 < enough <= len(links) else 0.0
    return -sigma * math.log(min(worst, 1.0) * ROOM) if worst > 0 else NEAR * sigma
