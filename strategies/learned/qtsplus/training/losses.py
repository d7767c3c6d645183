"""What QTSplus is trained on besides the answer: the cost of what it keeps, and a steady ratio.

    flops = lambda_t (k / n_max)^2,   kv = lambda_m k / n_max,   smooth = lambda_s (rho - mean rho)^2,   k = rho M

Two departures from the published code. k is capped at n_max, as the kept tokens are: beyond it a larger ratio costs and
changes nothing. The mean is over the training samples so far, a buffer that is saved and the same on every process.
Source: QTSplus (arXiv 2511.11910) and its published code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class CostSettings:
    """Holds the weights of the three terms; with `capped`, k is at most n_max."""

    flops: float  # lambda_t
    kv: float  # lambda_m
    smooth: float  # lambda_s
    capped: bool


class Costs(nn.Module):
    """Computes the three terms (flops, kv, smooth), with the running mean of the ratio."""

    total: Tensor  # f64, sum of the ratios of all training samples so far
    seen: Tensor  # f64, how many

    def __init__(self, settings: CostSettings) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("total", torch.zeros((), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def forward(self, rho: Tensor, count: Tensor, most: int | None) -> dict[str, Tensor]:
        """Returns the weighted terms, each a mean over the batch, of rho f32 [B] and M i64 [B] (`count`).

        It counts the batch as seen.
        """
        settings = self.settings
        limit = count.float() if most is None else torch.full_like(rho, float(most))
        share = rho * count / limit
        if settings.capped:
            share = share.clamp_max(1.0)
        self._see(rho.detach())
        mean = (self.total / self.seen).float()
        return {
            "flops": settings.flops * share.square().mean(),
            "kv": settings.kv * share.mean(),
            "smooth": settings.smooth * (rho - mean).square().mean(),
        }

    @torch.no_grad()
    def _see(self, rho: Tensor) -> None:
        new = torch.stack([rho.double().sum(), torch.full((), float(len(rho)), device=rho.device).double()])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(new)
        self.total += new[0]
        self.seen += new[1]
