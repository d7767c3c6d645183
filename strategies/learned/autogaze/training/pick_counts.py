"""Draws picks per frame at random, and measures the reconstructor's usual loss with so many random picks."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.metrics import true_loss

EVENNESS = 3.0  # of counts over a clip's frames: the concentration of a Dirichlet distribution


def drawn_counts(count: int, frames: int, most: int) -> Tensor:
    """Draws the number of picks of each frame, i64 [count, frames], 1 .. most.

    There are few or many in a clip, unevenly over its frames.
    """
    mean = torch.exp(torch.rand(count, 1) * math.log(most))
    shares = torch.distributions.Dirichlet(torch.full((frames,), EVENNESS)).sample((count,))
    return (mean * frames * shares).round().long().clamp(1, most)


@torch.no_grad()
def usual_losses(
    reconstructor: Reconstructor, pixels: Iterable[Tensor], most: int, quantiles: tuple[float, float], seed: int
) -> tuple[float, float]:
    """Returns two quantiles of the reconstructor's loss over the frames of batches of normalised clips.

    Picks are random, at drawn counts of 1 .. most a frame.
    """
    losses, eos = [], reconstructor.vocabulary.eos
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in pixels:
            counts = drawn_counts(part.shape[0], part.shape[1], most)
            ids = torch.rand(*counts.shape, eos).argsort(2)[:, :, :most]
            ids = ids.masked_fill(torch.arange(most) >= counts[..., None], eos).to(part.device)
            losses.append(true_loss(reconstructor, part, Picks(ids, ids != eos)).flatten())
    low, high = torch.cat(losses).quantile(torch.tensor(quantiles, device=losses[0].device)).tolist()
    return low, high
