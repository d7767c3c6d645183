"""Measures how well picks serve: the frozen reconstructor's loss with them, at several budgets on held-out clips.

It knows a gaze and a reconstructor, and no training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.calibration import LossSpace, as_loss
from strategies.learned.autogaze.gaze.decoding import Control, Picks, gaze_clip, score_picks
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.reconstructor.model import Reconstructor


@torch.no_grad()
def true_loss(reconstructor: Reconstructor, pixels: Tensor, picks: Picks, frames: Tensor | None = None) -> Tensor:
    """Returns the loss f32 [B, F] of normalised clips at `frames`, each from the picks up to it.

    `frames` are i64 [F] or [B, F]; None means all.
    """
    return reconstructor.loss(pixels, reconstructor(pixels, reconstructor.vocabulary.picked(picks.ids), frames), frames)


@torch.no_grad()
def held_out_losses(
    gaze: Gaze, reconstructor: Reconstructor, pixels: Tensor, budgets: Sequence[int], space: LossSpace, batch: int
) -> dict[str, float]:
    """Measures the mean true loss at each number of picks a frame, and how far off the predicted loss was.

    Both are means over clips and frames. `pixels` are normalised, f32 [N, T, 3, S, S], `batch` of them at a time.
    `budgets` are the numbers of picks.
    """
    table = {}
    for budget in budgets:
        losses, off = [], []
        for part in pixels.split(batch):
            picks = score_picks(gaze, part, gaze_clip(gaze, part, Control(budget)))
            true = true_loss(reconstructor, part, picks)
            assert picks.predicted is not None
            losses.append(true)
            off.append((as_loss(picks.predicted[:, :, -1], space) - true).abs())
        table[f"loss at {budget}"] = float(torch.cat(losses).mean())
        table[f"off at {budget}"] = float(torch.cat(off).mean())
    return table


def nothing(reconstructor: Reconstructor, pixels: Tensor) -> Tensor:
    """Returns the loss f32 [B, T] of keeping nothing."""
    ids = torch.full((*pixels.shape[:2], 1), reconstructor.vocabulary.eos, device=pixels.device)
    return true_loss(reconstructor, pixels, Picks(ids, torch.zeros_like(ids, dtype=torch.bool)))


def before(reconstructor: Reconstructor, pixels: Tensor, picks: Picks) -> Tensor:
    """Returns the loss f32 [B, T] of each frame with the picks of earlier frames and none of its own."""
    columns = []
    for frame in range(pixels.shape[1]):
        past = picks.ids.clone()
        past[:, frame:] = reconstructor.vocabulary.eos
        kept = Picks(past, past != reconstructor.vocabulary.eos)
        columns.append(true_loss(reconstructor, pixels, kept, torch.tensor([frame], device=pixels.device)))
    return torch.cat(columns, 1)
