"""Batches of random subsets of the visual tokens of long needle videos, at their original times.

They are for language models that must read what some selector kept, whichever. Sizes are spread evenly over their
logarithm, and the needles are among the kept tokens now and then. Some batches show whole groups of ticks instead, at
compact times, as a probe sees them. Targets are honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from framework.lab.features import NeedleFeatures, NeedleVideo, needle_tokens, pose_again
from framework.lab.needles import EDGE
from framework.lab.training.batches import RUN, LanguageBatch
from framework.lab.training.packing import pack
from framework.lab.training.questions import Asker
from framework.lab.world import FRAMES_PER_TICK

SEEN = 0.6  # of the groups: those around a needle


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
    group_share: float = 0.0  # batches of whole groups of ticks at compact times
    groups: Sequence[int] = (4, 8, 16, 32, 64)  # their sizes in ticks
    length_told: bool = False  # the length of the film is told, and times are stretched in runs of neighbours


def subset_batch(
    generator: np.random.Generator, features: NeedleFeatures, settings: SubsetSettings, asker: Asker, window: int
) -> LanguageBatch:
    """Draws one batch: subsets of equal size of several videos, with every question of each video."""
    if generator.random() < settings.group_share:
        return _group_batch(generator, features, settings, asker, window)
    low, high = settings.size
    size = int(np.rint(np.exp(generator.uniform(np.log(low), np.log(min(high, features.tokens))))))
    videos = _videos(generator, features, settings, size)
    kept = np.stack([draw_subset(generator, video, size, settings) for video in videos])
    stretch = generator.choice(settings.stretches, size=len(videos))
    if settings.length_told:
        _check_borders(features, settings)
        times = np.stack([_stretched(generator, features.ticks, int(s)) for s in stretch])
    else:  # thirds are those of what is seen
        stretch[[video.questions[0].query.split == "when" for video in videos]] = 1
        times = np.arange(features.ticks) * stretch[:, None]
    sequential = bool(generator.random() < settings.sequential_share)
    lengths = features.ticks * stretch if settings.length_told else None
    return _batch(generator, videos, kept, asker, times, (window, sequential, features.grid, lengths))


def _group_batch(
    generator: np.random.Generator, features: NeedleFeatures, settings: SubsetSettings, asker: Asker, window: int
) -> LanguageBatch:
    """Whole groups of ticks: neighbours or strided over the film, most of them around a needle."""
    ticks = int(generator.choice([size for size in settings.groups if size <= features.ticks]))
    cells = features.grid**2
    videos = _videos(generator, features, settings, ticks * cells)
    groups = np.stack([_group(generator, video, features.ticks, ticks) for video in videos])
    kept = (groups[:, :, None] * cells + np.arange(cells)).reshape(len(videos), -1)
    times = np.zeros((len(videos), features.ticks), np.int64)
    np.put_along_axis(times, groups, np.arange(ticks)[None].repeat(len(videos), 0), axis=1)
    lengths = np.full(len(videos), ticks) if settings.length_told else None
    return _batch(generator, videos, kept, asker, times, (window, False, features.grid, lengths))


def _group(generator: np.random.Generator, video: NeedleVideo, total: int, ticks: int) -> np.ndarray:
    """The ticks of one group, i64 [ticks]: of a `when` always strided, for it asks for a third of all that is shown."""
    evidence = [needle for question in video.questions for needle in question.evidence]
    needle = evidence[generator.integers(len(evidence))]
    life = needle.length // FRAMES_PER_TICK
    seen = generator.random() < SEEN
    tick = needle.start // FRAMES_PER_TICK + int(generator.integers(life)) if seen else int(generator.integers(total))
    stride = total // ticks
    if video.questions[0].query.split == "when" or generator.random() < 0.5:
        return np.arange(ticks) * stride + tick % stride
    return int(np.clip(tick - generator.integers(ticks), 0, total - ticks)) + np.arange(ticks)


def _videos(
    generator: np.random.Generator, features: NeedleFeatures, settings: SubsetSettings, size: int
) -> list[NeedleVideo]:
    count = int(np.clip(settings.batch_tokens // size, 1, settings.most_videos))
    return [features[int(number)] for number in generator.integers(len(features), size=count)]


def _check_borders(features: NeedleFeatures, settings: SubsetSettings) -> None:
    """ValueError where a run of neighbours that holds a needle of `when` may reach over the border of its third."""
    least = int(np.ceil(RUN / EDGE))
    if features.ticks < least and max(settings.stretches) > 1 and any(k["split"] == "when" for k in features.kinds):
        raise ValueError(
            f"needles.frames={features.settings.frames}: films of `when` are stretched in runs of {RUN} ticks and keep "
            f"their thirds from {least * FRAMES_PER_TICK} frames on; use that many, or subsets.stretches=[1]"
        )


def _stretched(generator: np.random.Generator, ticks: int, stretch: int) -> np.ndarray:
    """Times of the ticks of a film made `stretch` times as long, i64 [ticks].

    Runs of RUN neighbours stay together, each somewhere in its part, as a needle's ticks do. The last may be shorter.
    """
    place, parts = np.arange(ticks), -(-ticks // RUN)
    room = (stretch - 1) * np.minimum(RUN, ticks - RUN * np.arange(parts))
    shift = np.minimum(generator.integers(RUN * (stretch - 1) + 1, size=parts), room)
    return place // RUN * RUN * stretch + shift[place // RUN] + place % RUN


def _batch(
    generator: np.random.Generator,
    videos: list[NeedleVideo],
    kept: np.ndarray,
    asker: Asker,
    times: np.ndarray,
    packing: tuple[int, bool, int, np.ndarray | None],
) -> LanguageBatch:
    """Every question of each video about its kept tokens. `packing`: window, sequential, grid, lengths of `pack`."""
    posed = [
        [asker.encode(generator, pose_again(generator, question, tokens, 4)) for question in video.questions]
        for video, tokens in zip(videos, kept, strict=True)
    ]
    rows = np.stack([video.features[tokens] for video, tokens in zip(videos, kept, strict=True)])
    return LanguageBatch(
        packed=pack(posed, kept, times, asker.vocabulary, *packing),
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
