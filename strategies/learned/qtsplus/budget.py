"""How much to keep: a ratio read from the question, the number of tokens and how sharply the scores point.

    p = r / sum r,   H = -sum p ln p,   features = [mean question embedding, ln M, max r, H]
    rho = low + (high - low) sigmoid(MLP(features)),   n = min(max(1, ceil(rho M)), n_max)

Everything in fp32, under autocast and for weights in bf16 too. As published the features have very different sizes, so
that the ratio hardly depends on the question; `scaled` brings each to about one without a parameter. Source: QTSplus
(arXiv 2511.11910).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

HIDDEN = 256
SMALL = 1e-8
SHY = 1 - 2**-23  # fp32 writes 0.1 as a little more, of which rounding up would make a whole token


class BudgetHead(nn.Module):
    """Predicts the ratio to keep, between `low` and `high`, from the question and the scores."""

    def __init__(self, width: int, low: float, high: float, scaled: bool) -> None:
        super().__init__()
        if not 0 < low <= high <= 1:
            raise ValueError(f"0 < rho_min <= rho_max <= 1 is needed, got rho_min={low} and rho_max={high}")
        self.low, self.high, self.scaled = low, high, scaled
        self.mlp = nn.Sequential(nn.Linear(width + 3, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, log_scores: Tensor, mask: Tensor, query: Tensor, query_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (rho f32 [B], H f32 [B] in nats) of ln r f32 [B, M] and the question [B, L, D], with their masks."""
        with torch.autocast(query.device.type, enabled=False):
            return self._read(log_scores, mask, query, query_mask)

    def _read(self, log_scores: Tensor, mask: Tensor, query: Tensor, query_mask: Tensor) -> tuple[Tensor, Tensor]:
        count = mask.sum(1).float()
        sharpness = entropy(log_scores, mask)
        asked = (query.float() * query_mask[..., None]).sum(1) / query_mask.sum(1, keepdim=True)
        largest = log_scores.amax(1)
        if self.scaled:
            asked = asked * (asked.square().mean(1, keepdim=True) + SMALL).rsqrt()
            numbers = [count.log() / 10, 1 + largest / 10, sharpness / count.log().clamp_min(1.0)]
        else:
            numbers = [count.log(), largest.exp(), sharpness]
        logit = torch.cat([asked, torch.stack(numbers, 1)], 1)  # [B, D + 3]
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                weight, bias = (_at_least_fp32(parameter) for parameter in (layer.weight, layer.bias))
                logit = linear(logit.to(weight.dtype), weight, bias)
            else:
                logit = layer(logit)
        logit = logit.float()[:, 0]
        return self.low + (self.high - self.low) * logit.sigmoid(), sharpness


def _at_least_fp32(parameter: Tensor) -> Tensor:
    return parameter.to(torch.promote_types(parameter.dtype, torch.float32))


def entropy(log_scores: Tensor, mask: Tensor) -> Tensor:
    """Returns the entropy, f32 [B] in nats, of the scores r made to sum to one."""
    scores = log_scores.masked_fill(~mask, float("-inf")).exp()
    share = scores / (scores.sum(1, keepdim=True) + SMALL)
    return -(share * (share + SMALL).log()).sum(1).clamp_max(0.0)


def kept_count(rho: Tensor, count: Tensor, most: int | None) -> Tensor:
    """Returns how many tokens to keep, i64 [B]: min(max(1, ceil(rho x count)), most, count).

    `rho` is f32 [B]; `count` is the number of tokens, i64 [B].
    """
    wanted = (rho.detach().double() * SHY * count).ceil().long().clamp_min(1)
    return wanted.clamp_max(count if most is None else count.clamp_max(most))
