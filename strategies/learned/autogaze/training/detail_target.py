"""Teaches a stem, beside the picks, where detail is and where it changed: patch by patch of the finest scale.

A pick depends on both, but one pick at a time is a faint hint of them. When the hint is given outright, a stem learns
within hundreds of steps what it otherwise does not learn within thousands. The head that predicts it serves training
alone. The idea is ours. No labels are needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.reconstructor.patches import resizing

TINY, USUAL = 0.02, 0.12  # of normalised brightness: less is nothing; about what patches differ by


class Detail(nn.Module):
    """Predicts detail from vision tokens: one number for every scale but the finest, and one for change."""

    def __init__(self, gaze: Gaze) -> None:
        super().__init__()
        self.scales, self.grid = gaze.vocabulary.scales[:-1], gaze.vocabulary.grids[-1]
        self.head = nn.Linear(gaze.config.width, len(self.scales) + 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def loss(self, gaze: Gaze, tokens: Tensor, pixels: Tensor) -> Tensor:
        """Returns the mean squared error for vision tokens [B, T, P, D] of normalised frames [B, T, 3, S, S]."""
        return (self.head(tokens - gaze.positions) - self.wanted(pixels)).square().mean()

    @torch.no_grad()
    def wanted(self, pixels: Tensor) -> Tensor:
        """Returns what the head should predict, f32 [B, T, P, scales], as logarithms; 0 is usual.

        Each number is the logarithm of a mean difference over one patch of the finest scale. All but the last compare a
        frame's brightness with what is left of it at a coarser scale. The last compares it with the frame before; the
        frame before the first one is zero.
        """
        grey = pixels.mean(2)
        side = grey.shape[-1]
        left = [grey - (blur := _blurring(side, scale).to(grey)) @ grey @ blur.T for scale in self.scales]
        before = torch.cat([torch.zeros_like(grey[:, :1]), grey[:, :-1]], 1)
        parts = [adaptive_avg_pool2d(part.abs(), self.grid).flatten(2) for part in (*left, grey - before)]
        return torch.stack(parts, -1).add(TINY).div(USUAL).log()


def _blurring(side: int, scale: int) -> Tensor:
    """f32 [side, side]: a line shrunk to `scale` and blown up again, as a matrix."""
    return resizing(scale, side, False) @ resizing(side, scale, True)
