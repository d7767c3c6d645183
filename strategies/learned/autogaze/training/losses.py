"""The supervised half of gaze training: the next pick of a searched sequence, and the reconstruction loss it leads to.

Both are means over the valid picks of a batch (a sample's sum over the mean number of picks, as published). Departures:
the loss with nothing picked yet in a frame is learned too, by head 0 at the frame's last vision token. Losses may be
learned as logarithms, in which a tenth off is a tenth off for small losses too. The end of a frame is never learned: it
is a matter of thresholds. Source: AutoGaze (arXiv 2603.12254), stage 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.calibration import LossSpace, as_predicted


def pick_loss(log_probabilities: Tensor, valid: Tensor) -> Tensor:
    """Returns the cross-entropy in nats per valid pick: of f32 [B, T, n], where `valid` bool [B, T, n]."""
    return -zero_elsewhere(log_probabilities, valid).sum() / valid.sum().clamp_min(1)


def head_loss(predicted: Tensor, losses: Tensor, space: LossSpace) -> Tensor:
    """Returns the mean squared error of predictions, of any shape, where the true `losses` are known (finite)."""
    known = losses.isfinite()
    right = as_predicted(zero_elsewhere(losses, known), space)
    return zero_elsewhere((predicted - right).square(), known).sum() / known.sum().clamp_min(1)


def zero_elsewhere(values: Tensor, where: Tensor) -> Tensor:
    """Returns `values` where `where` is true, else zero. What stands elsewhere, even NaN, leaves no gradient."""
    return torch.where(where, values, torch.zeros_like(values))
