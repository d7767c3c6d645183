"""Sharing whole tokens: integer quotas from real weights, exact in sum, each within its cap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def apportion(weights: Sequence[float], caps: Sequence[int], budget: int, priority: Sequence[float]) -> list[int]:
    """Quotas proportional to `weights`, each within 0..cap, with sum min(budget, sum of caps) exactly.

    What a full group cannot take goes to the others in proportion; what is left after rounding down goes by largest remainder,
    ties to the higher `priority`, then to the lower index. All arguments have one entry per group; weights are finite and >= 0.
    When the weights that can still take tokens are all zero, the rest is shared equally.
    """
    weight = np.asarray(weights, dtype=np.float64)
    cap = np.asarray(caps, dtype=np.int64)
    if not (len(weight) == len(cap) == len(priority)):
        raise ValueError(f"one weight, cap and priority per group expected, got {len(weight)}, {len(cap)}, {len(priority)}")
    if not np.isfinite(weight).all() or (weight < 0).any() or (cap < 0).any() or budget < 0:
        raise ValueError(f"weights must be finite and >= 0, caps and budget >= 0, got {weights}, {caps}, {budget}")
    total = int(min(budget, cap.sum()))
    share = _waterfill(weight, cap.astype(np.float64), float(total))
    quota = np.minimum(np.floor(share + 1e-9).astype(np.int64), cap)
    remainder = share - quota
    order = sorted(range(len(quota)), key=lambda i: (-round(remainder[i], 9), -priority[i], i))
    left = total - int(quota.sum())
    while left > 0:  # more than one round only when caps swallowed a remainder
        for i in order:
            if left and quota[i] < cap[i]:
                quota[i] += 1
                left -= 1
    return quota.tolist()


def _waterfill(weight: np.ndarray, cap: np.ndarray, total: float) -> np.ndarray:
    """Real-valued shares: proportional to weight, clipped at cap, the excess shared again among the rest."""
    share = np.zeros_like(cap)
    open_ = cap > 0
    while total > 1e-12 and open_.any():
        now = np.where(open_, weight, 0.0)
        if now.sum() <= 0:
            now = open_.astype(np.float64)
        offer = total * now / now.sum()
        full = open_ & (offer >= cap - share - 1e-12)
        if not full.any():
            share += offer
            break
        total -= float((cap - share)[full].sum())
        share[full] = cap[full]
        open_ &= ~full
    return share
