"""Choosing n of M tokens so that training keeps exactly what inference keeps, and still learns.

Forward, the n highest scores are kept. Backward, the choice acts like a soft mask sigmoid((s - t) / tau), whose
threshold t makes it sum to rho M, so that scores and ratio both receive gradient; t is found by bisection (the Newton
steps of the published code diverge) and differentiated implicitly. The official gate draws each token by
Gumbel-softmax, with no regard to n: it stays for comparison. Source: QTSplus (arXiv 2511.11910).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import gumbel_softmax

STEPS = 60  # of the bisection; each halves the interval


def top(log_scores: Tensor, count: Tensor) -> Tensor:
    """Marks the `count` (i64 [B]) highest of ln r f32 [B, M] in a bool [B, M]; ties go to the lower index."""
    order = log_scores.argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    return rank < count[:, None]


def threshold(scores: Tensor, mask: Tensor, total: Tensor, tau: float) -> Tensor:
    """Finds t, f32 [B], such that the sum over the mask of sigmoid((scores - t) / tau) = total (f32 [B], within 0..M).

    It is differentiable in scores and total by the implicit function theorem: one Newton step from the detached root.
    """
    with torch.no_grad():
        far = 40 * tau
        low = scores.masked_fill(~mask, float("inf")).amin(1) - far
        high = scores.masked_fill(~mask, float("-inf")).amax(1) + far
        for _ in range(STEPS):
            middle = (low + high) / 2
            above = _soft(scores, mask, middle, tau).sum(1) > total
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        root = (low + high) / 2
        slope = (_soft(scores, mask, root, tau) * (1 - _soft(scores, mask, root, tau))).sum(1) / tau  # -d sum / dt
    return root + (_soft(scores, mask, root, tau).sum(1) - total) / slope.clamp_min(1e-12)


def straight_through(log_scores: Tensor, mask: Tensor, count: Tensor, total: Tensor, tau: float) -> Tensor:
    """Returns 1 for the `count` (i64 [B]) best tokens and 0 for the others, f32 [B, M], with the soft mask's gradient.

    `total` f32 [B] is the mass of the soft mask, through which the ratio learns. The scores enter as ln r, whose
    differences do not depend on M.
    """
    scores = log_scores.masked_fill(~mask, 0.0)
    soft = _soft(scores, mask, threshold(scores, mask, total, tau), tau)
    return top(log_scores, count).float() + soft - soft.detach()


def gumbel(log_scores: Tensor, mask: Tensor, total: Tensor, tau: float) -> Tensor:
    """Draws the official training gate at random, f32 [B, M]; at least one token is kept."""
    scores = log_scores.exp()
    logits = scores - threshold(scores, mask, total, tau)[:, None]
    drawn = gumbel_softmax(torch.stack([logits, torch.zeros_like(logits)], -1), tau=tau, hard=True)[..., 0] * mask
    nothing = ~(drawn > 0).any(1, keepdim=True)
    return torch.where(nothing, top(log_scores, torch.ones_like(total, dtype=torch.long)).float(), drawn)


def _soft(scores: Tensor, mask: Tensor, place: Tensor, tau: float) -> Tensor:
    return ((scores - place[:, None]) / tau).sigmoid() * mask
