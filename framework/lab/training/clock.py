"""The clock: every visual token learns in which third of its film it is.

The end of the film is told before the video, and a token's own time is its position, so a token can know. Every token
of a batch is a target, where a question has one: without it questions about time stay near chance for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.lab.model import SLIDING_WINDOW
from framework.lab.training.packing import Packed, pack
from framework.lab.world import CELLS, COLOURS, SHAPES, SIZES

SHORTEST = 8  # ticks of a film
STRETCH = 0.02  # of a film: that much of it is shown where tokens are neighbours


@dataclass(frozen=True)
class ClockSettings:
    """Describes films without questions that stand beside a batch of questions."""

    films: int  # per batch
    tokens: tuple[int, int]  # fewest and most of a film; the same number for all films of a batch
    farthest: int  # the longest film, ticks
    near_share: float  # films of which neighbours are shown, not tokens from all over it
    shown_share: float  # tokens with an object in them


@dataclass(frozen=True)
class ClockBatch:
    """Holds B films without questions: a packed batch, and what its tokens show, i64 [B, K, 3], -1 where nothing."""

    packed: Packed
    objects: torch.Tensor

    def to(self, device: torch.device) -> ClockBatch:
        """Returns the same batch on another device."""
        return replace(self, packed=self.packed.to(device), objects=self.objects.to(device))


def clock_batch(generator: np.random.Generator, settings: ClockSettings, vocabulary: Mapping[str, int]) -> ClockBatch:
    """Draws tokens of films of all lengths, evenly over their logarithm."""
    films, size = settings.films, int(generator.integers(*settings.tokens, endpoint=True))
    lengths = np.exp(generator.uniform(np.log(SHORTEST), np.log(settings.farthest), films)).astype(int)
    near = generator.random(films) < settings.near_share
    low, high = np.sort(generator.random((2, films)), axis=0)
    high = np.where(near, np.minimum(low + STRETCH, 1), high)
    place = low[:, None] + (high - low)[:, None] * generator.random((films, size))
    times = np.sort((place * lengths[:, None]).astype(int), axis=1)
    # one token per tick: token k is in tick k, which is shown at times[k]
    tokens = np.arange(size) * CELLS + generator.integers(CELLS, size=(films, size))
    objects = np.stack([generator.integers(len(n), size=(films, size)) for n in (SHAPES, COLOURS, SIZES)], axis=-1)
    objects[generator.random((films, size)) >= settings.shown_share] = -1
    packed = pack([[]] * films, tokens, times, vocabulary, SLIDING_WINDOW, lengths=lengths)
    return ClockBatch(packed, torch.from_numpy(objects))


def third_loss(
    model: Qwen2_5_VLForConditionalGeneration, packed: Packed, hidden: torch.Tensor, zones: torch.Tensor
) -> torch.Tensor:
    """Computes the cross-entropy of every visual token's third, read from `hidden` f32 [B, S, D] by the words `zones`.

    Zero where no length is told.
    """
    visual = slice(packed.video_start, packed.video_start + packed.thirds.shape[1])
    rows = model.get_input_embeddings().weight[zones]
    logits = model.model.language_model.norm(hidden[:, visual]) @ rows.T
    total = cross_entropy(logits.flatten(0, 1), packed.thirds.flatten(), ignore_index=-1, reduction="sum")
    return total / (packed.thirds >= 0).sum().clamp_min(1)
