"""Makes the table that leads from a user's error to a loss threshold.

The gaze stops at each threshold, and the reconstructor judges what it picked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.calibration import Calibration, LossSpace
from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip, score_picks
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.metrics import nothing, true_loss

ALIKE = 1e-4  # thresholds closer than that are one


@dataclass(frozen=True)
class CalibrationSettings:
    """Says how the calibration table is made."""

    clips: int  # held-out clips
    rows: int  # thresholds that are tried
    most: int  # picks of a frame at most
    batch: int  # clips at a time

    def __post_init__(self) -> None:
        for name, least in (("clips", 1), ("rows", 2), ("most", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"recipe.calibration.{name} must be at least {least}, got {getattr(self, name)}")


@torch.no_grad()
def calibrate(
    gaze: Gaze, reconstructor: Reconstructor, pixels: Tensor, settings: CalibrationSettings, space: LossSpace
) -> Calibration:
    """Makes the table from normalised clips f32 [N, T, 3, S, S]; `space` is what the loss heads were taught.

    Thresholds are quantiles of the losses that are predicted when no frame stops early. At the smallest threshold no
    frame stops early. At the largest nearly each frame stops after its first pick.
    """
    parts = pixels.split(settings.batch)
    empty = torch.cat([nothing(reconstructor, part) for part in parts]).sum(1)
    thresholds = _grid(torch.cat([_predicted(gaze, part, settings.most) for part in parts]), settings.rows)
    errors, picked = [], []
    for threshold in thresholds:
        losses, counts = [], []
        for part in parts:
            picks = gaze_clip(gaze, part, Control(settings.most, threshold))
            losses.append(true_loss(reconstructor, part, picks).sum(1))
            counts.append(picks.counts.float().mean(1))
        errors.append(float((torch.cat(losses) / empty).mean()))
        picked.append(float(torch.cat(counts).mean()))
    return Calibration(space, tuple(thresholds), tuple(errors), tuple(picked), settings.most)


def _predicted(gaze: Gaze, pixels: Tensor, most: int) -> Tensor:
    predicted = score_picks(gaze, pixels, gaze_clip(gaze, pixels, Control(most))).predicted
    assert predicted is not None
    return predicted.flatten()


def _grid(predicted: Tensor, rows: int) -> list[float]:
    """Rising thresholds: one below all predictions, their quantiles, the largest."""
    inner = predicted.double().quantile(torch.linspace(0, 1, rows, dtype=torch.float64)).tolist()
    grid = [inner[0] - 2 * ALIKE]
    for value in inner[1:]:
        if value > grid[-1] + ALIKE:
            grid.append(value)
    return grid
