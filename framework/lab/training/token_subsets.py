"""Batches of random subsets of the visual tokens of long needle videos, at their original times.

They are for language models that must read what some selector kept, whichever. Sizes are spread evenly over their
logarithm, and the needles are among the kept tokens now and then. Targets are honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from framework.lab.features import NeedleFeatures, NeedleVideo, needle_tokens, pose_again
from framework.lab.training.batches import LanguageBatch
from framework.lab.training.packing import pack
from framework.lab.training.questions import Asker


@dataclass(frozen=True)
class SubsetSettings:
    """Says how subsets are drawn. Shares are probabilities."""

    size: tuple[int, int]  # fewest and most tokens
    batch_tokens: int  # visual tokens in a batch, which holds as many videos as fit
    most_videos: int
    needle_share: float  # needles that are put into the subset
    busy_share: float  # subsets that prefer tokens in which something is shown, as a selector does
    stretches: Sequence[int]  # a video's time is that of one this many times as long, drawn from these
    sequential_share: float  # batches with sequential in place of original positions


def subset_batch(
    generator: np.random.Generator, features: NeedleFeatures, settings: SubsetSettings, asker: Asker, window: int
) -> LanguageBatch:
    """Draws one batch: subsets of equal size of several videos, with every question of each video."""
    low, high = settings.size
    size = int(np.rint(np.exp(generator.uniform(np.log(low), np.log(min(high, features.tokens))))))
    count = int(np.clip(settings.batch_tokens // size, 1, settings.most_videos))
    videos = [features[int(number)] for number in generator.integers(len(features), size=count)]
    kept = np.stack([draw_subset(generator, video, size, settings) for video in videos])
    stretch = generator.choice(settings.stretches, size=count)
    stretch[[video.questions[0].query.split == "when" for video in videos]] = 1  # its thirds are those of its length
    posed = [
        [asker.encode(generator, pose_again(generator, question, tokens, 4)) for question in video.questions]
        for video, tokens in zip(videos, kept, strict=True)
    ]
    sequential = bool(generator.random() < settings.sequential_share)
    times = np.arange(features.ticks) * stretch[:, None]
    rows = np.stack([video.features[tokens] for video, tokens in zip(videos, kept, strict=True)])
    return LanguageBatch(
        packed=pack(posed, kept, times, asker.vocabulary, window, sequential, features.grid),
        pixels=None,
        objects=torch.empty(0),
        kept=torch.from_numpy(kept),
        questions=[question for row in posed for question in row],
        features=torch.from_numpy(rows.astype(np.float32)),
    )


def draw_subset(generator: np.random.Generator, video: NeedleVideo, size: int, settings: SubsetSettings) -> np.ndarray:
    """Draws the numbers of `size` tokens of a video, ascending: i64 [size].

    Tokens of some needles come first, as they fit, then random others.
    """
    first: list[np.ndarray] = []
    for place in generator.permutation(len(video.questions)):
        for needle in video.questions[place].evidence:
            if generator.random() < settings.needle_share:
                tokens = generator.permutation(needle_tokens(needle, video.questions[place].query.grid ** 2))
                first.append(tokens[: generator.integers(1, len(tokens) + 1)])
    rest = generator.permutation(len(video.features))
    if generator.random() < settings.busy_share:
        rest = rest[np.argsort(~video.busy[rest], kind="stable")]
    order = np.concatenate([*first, rest])
    _, earliest = np.unique(order, return_index=True)
    return np.sort(order[np.sort(earliest)][:size])
