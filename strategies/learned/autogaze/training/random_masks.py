"""Draws random picks of patches, to learn from and to measure with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


@dataclass(frozen=True)
class MaskSettings:
    """Says how picks are drawn: how many, and how unevenly they are spread over frames and scales."""

    ratio: tuple[float, float]  # of all patches of a clip, drawn log-uniformly between
    frame_alpha: float  # of the Dirichlet distribution over frames; small is uneven
    scale_spread: float  # a frame prefers scales by factors of about e^this
    bare: float  # share of frames without picks

    def __post_init__(self) -> None:
        if not 0 < self.ratio[0] <= self.ratio[1] <= 1:
            raise ValueError(f"recipe.masks.ratio: 0 < low <= high <= 1 is needed, got {list(self.ratio)}")
        if self.frame_alpha <= 0 or self.scale_spread < 0 or not 0 <= self.bare < 1:
            raise ValueError(
                "recipe.masks: frame_alpha > 0, scale_spread >= 0 and 0 <= bare < 1 are needed, got "
                f"{self.frame_alpha}, {self.scale_spread} and {self.bare}"
            )


def random_picks(
    generator: np.random.Generator, clips: int, frames: int, vocabulary: Vocabulary, settings: MaskSettings
) -> Tensor:
    """Draws picks, bool [clips, frames, V], with one ratio for all clips, so that little is padded."""
    low, high = (math.log(ratio) for ratio in settings.ratio)
    total = math.exp(generator.uniform(low, high)) * frames * vocabulary.size
    share = generator.dirichlet([settings.frame_alpha] * frames, clips)
    count = np.rint(total * share).clip(0, vocabulary.size)
    count[generator.random((clips, frames)) < settings.bare] = 0
    scale = vocabulary.scale_of(torch.arange(vocabulary.size)).numpy()
    liking = generator.normal(0, settings.scale_spread, (clips, frames, len(vocabulary.scales)))
    drawn = liking[..., scale] + generator.gumbel(size=(clips, frames, vocabulary.size))
    rank = (-drawn).argsort(-1).argsort(-1)
    return torch.from_numpy(rank < count[..., None])


def even_picks(generator: np.random.Generator, clips: int, frames: int, vocabulary: Vocabulary, ratio: float) -> Tensor:
    """Draws round(ratio x all) of a clip's patches, each as likely as any other: bool [clips, frames, V]."""
    drawn = generator.random((clips, frames * vocabulary.size))
    rank = drawn.argsort(1).argsort(1)
    return torch.from_numpy(rank < round(ratio * rank.shape[1])).unflatten(1, (frames, vocabulary.size))
