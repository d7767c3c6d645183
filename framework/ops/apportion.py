"""Sharing whole tokens: integer quotas from real weights, exact in sum and within caps; what a candidate is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from framework.core.types import Candidates


def apportion(weights: Sequence[float], caps: Sequence[int], budget: int, priority: Sequence[float]) -> list[int]:
    """Returns quotas proportional to `weights`, each within 0..cap, with sum min(budget, sum of caps) exactly.

    What a full group cannot take goes to the others in proportion. What is left after rounding down goes by largest
    remainder. Ties go to the higher `priority`, then to the lower index. All arguments but `budget` have one entry per
    group. When the weights that can still take tokens are all zero, the rest is shared equally.

    Weights are finite and >= 0; raises ValueError for others.
    """
    weight = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"weights must be finite and >= 0, got {list(weights)}")
    with np.errstate(divide="ignore"):
        return apportion_log(np.log(weight).tolist(), caps, budget, priority)


def apportion_log(
    log_weights: Sequence[float], caps: Sequence[int], budget: int, priority: Sequence[float]
) -> list[int]:
    """Returns the quotas of `apportion`, from logarithms of weights.

    Ratios hold even where exp() underflows. -inf is a weight of 0.
    """
    weight = np.asarray(log_weights, dtype=np.float64)
    cap = np.asarray(caps, dtype=np.int64)
    if not (len(weight) == len(cap) == len(priority)):
        raise ValueError(f"{len(weight)} weights, {len(cap)} caps, {len(priority)} priorities: expected one per group")
    if np.isnan(weight).any() or (weight == np.inf).any() or (cap < 0).any() or budget < 0:
        raise ValueError(f"log weights must be below inf, caps and budget >= 0, got {log_weights}, {caps}, {budget}")
    total = int(min(budget, cap.sum()))
    share = _waterfill(weight, cap.astype(np.float64), float(total))
    quota = np.minimum(np.floor(share + 1e-9).astype(np.int64), cap)
    left = total - int(quota.sum())
    order = np.lexsort((-np.asarray(priority), -np.round(share - quota, 9))).tolist() if left else []
    while left > 0:  # more than one round only when caps swallowed a remainder
        for i in order:
            if left and quota[i] < cap[i]:
                quota[i] += 1
                left -= 1
    return quota.tolist()


def at_most(quotas: Sequence[int], caps: Sequence[int], budget: int) -> list[int]:
    """Returns how much a group's quota can be at most once others have joined or the budget has fallen: one more.

    `quotas` are what `apportion` gave so far of `budget`, with `caps`; weights and caps stay as they are. Before
    rounding, a share is min(cap, x * weight), where x is the largest number with which the shares fit the budget. More
    groups or a smaller budget make x smaller or leave it, what full groups hand on included: so no share grows. A quota
    is its share rounded down, or up. So a later quota <= share rounded up <= earlier quota + 1, and it is never more
    than the cap or the budget. Where all groups are full the quotas are the caps.
    """
    return [min(quota + 1, cap, budget) for quota, cap in zip(quotas, caps, strict=True)]


def _waterfill(log_weight: np.ndarray, cap: np.ndarray, total: float) -> np.ndarray:
    """Real-valued shares: proportional to weight, clipped at cap, the excess shared again among the rest."""
    share = np.zeros_like(cap)
    open_ = cap > 0
    while total > 1e-12 and open_.any():
        now = np.where(open_, log_weight, -np.inf)
        now = np.exp(now - now.max()) if now.max() > -np.inf else open_.astype(np.float64)
        offer = total * now / now.sum()
        full = open_ & (offer >= cap - 1e-12)
        if not full.any():
            share += offer
            break
        total -= float(cap[full].sum())
        share[full] = cap[full]
        open_ &= ~full
    return share


def worth(candidates: Candidates) -> Tensor:
    """Returns what keeping each candidate is worth across groups, f32 [C].

    It is the candidate's score times its group's share of the budget. Scores compare within a group only, so the
    product needs scores >= 0. Where a group has negative ones, its scores are first lifted by the lowest. Source: the
    priority r x w of the AdaptToken specification (arXiv 2603.28696).
    """
    _, at = candidates.group.unique(return_inverse=True)  # [C]
    lowest = torch.zeros(int(at.max()) + 1 if len(at) else 0, device=at.device)
    lowest = lowest.scatter_reduce(0, at, candidates.score.float(), "amin")
    return (candidates.score.float() - lowest[at]) * candidates.weight.float()


def worthiest(candidates: Candidates, count: int) -> Tensor:
    """Returns the places (i64) of the `count` candidates that are worth most, best first; ties to the earlier token."""
    tokens = candidates.tokens
    keys = (tokens.column, tokens.row, tokens.tick, -worth(candidates))  # the last key decides first
    return torch.from_numpy(np.lexsort([key.cpu().numpy() for key in keys])[:count])
