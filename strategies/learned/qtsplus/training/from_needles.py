"""Training samples from encoded needle videos: another video, question and options every time, without end.

It knows the lab and its features; it knows nothing of selectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from framework.backbones.base import DecoderBackbone
from framework.core.prompts import PromptTemplate
from framework.core.types import Tokens
from framework.lab.features import NeedleFeatures, pose_again
from framework.lab.questions import LabQuestion
from framework.lab.world import FRAMES_PER_SECOND, FRAMES_PER_TICK
from strategies.learned.qtsplus.training.batches import Batch, Sample, collate, sample


@dataclass(frozen=True)
class DrawSettings:
    """Says how batches are drawn."""

    videos: int  # per batch
    questions: int  # of each
    rho: tuple[float, float] | None  # each sample's ratio, log-uniform within; None: the selector's own

    def __post_init__(self) -> None:
        if self.rho is not None and not 0 < self.rho[0] <= self.rho[1] <= 1:
            raise ValueError(f"rho: 0 < low <= high <= 1 is needed, got {self.rho[0]} and {self.rho[1]}")

    def ratios(self, generator: np.random.Generator, samples: int) -> torch.Tensor | None:
        """Draws the ratio of each sample, f32 [B]; None where the selector uses its own."""
        if self.rho is None:
            return None
        low, high = (math.log(r) for r in self.rho)
        return torch.from_numpy(np.exp(generator.uniform(low, high, samples))).float()


def draw_batch(
    generator: np.random.Generator,
    features: NeedleFeatures,
    backbone: DecoderBackbone,
    prompt: PromptTemplate,
    settings: DrawSettings,
) -> Batch:
    """Draws a batch of samples about random videos."""
    samples = []
    for number in generator.integers(len(features), size=settings.videos):
        video = features[int(number)]
        tokens = as_tokens(video.features, features.ticks)
        everything = np.arange(features.tokens)
        for place in generator.permutation(len(video.questions))[: settings.questions]:
            question = pose_again(generator, video.questions[place], everything, 4)
            samples.append(needle_sample(backbone, prompt, tokens, question))
    return collate(samples, settings.ratios(generator, len(samples)))


def needle_sample(backbone: DecoderBackbone, prompt: PromptTemplate, tokens: Tokens, question: LabQuestion) -> Sample:
    """Makes a sample of one question about a video, in the backbone's words."""
    assert question.right is not None  # the whole video decides every question
    return sample(backbone, tokens, prompt.question("", question.bare, question.options), question.right)


def as_tokens(features: np.ndarray, ticks: int) -> Tokens:
    """Returns features f16 [M, D] of a whole video as the adapter's tokens."""
    grid = math.isqrt(len(features) // ticks)
    tick, row, column = torch.cartesian_prod(torch.arange(ticks), torch.arange(grid), torch.arange(grid)).T
    assert len(tick) == len(features) == ticks * grid**2
    return Tokens(
        embeddings=torch.from_numpy(features.astype(np.float32)),
        tick=tick,
        row=row,
        column=column,
        seconds=tick.double() * FRAMES_PER_TICK / FRAMES_PER_SECOND,
        extra={"extent": torch.full((len(tick),), grid)},
    )
