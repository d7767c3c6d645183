"""Batches for the lab's training phases, each a pure function of (seed, phase, step).

A resumed run therefore sees what an undisturbed one would have seen, and a worker process changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from framework.lab.training.clips import ClipSettings, draw_batch, draw_contents, steady, visible_objects
from framework.lab.training.clock import ClockBatch, ClockSettings, clock_batch
from framework.lab.training.packing import Packed, pack
from framework.lab.training.questions import Asker, TrainingQuestion
from framework.lab.world import CELLS, FRAMES_PER_TICK

RUN = 4  # ticks that stay neighbours where a film is stretched


@dataclass(frozen=True)
class VisionBatch:
    """Holds pixels u8 [B, frames, SIDE, SIDE, 3], objects i64 [B, ticks, CELLS, 3], steady bool [B, ticks, CELLS].

    `steady` says which tokens show the same in both of their frames.
    """

    pixels: torch.Tensor
    objects: torch.Tensor
    steady: torch.Tensor


@dataclass(frozen=True)
class LanguageBatch:
    """Holds a packed batch with its video: pixels, or `features` f32 [B, K, D] encoded before, or else oracle tokens.

    `kept` i64 [B, K] are the visual tokens shown. `objects` i64 [B, K, 3] is what is in them, where oracle tokens are
    made of it. `questions` are in packed order.
    """

    packed: Packed
    pixels: torch.Tensor | None
    objects: torch.Tensor
    kept: torch.Tensor
    questions: list[TrainingQuestion]
    features: torch.Tensor | None = None
    clock: ClockBatch | None = None  # films without questions, whose tokens learn in which third they are


@dataclass(frozen=True)
class LanguageSettings:
    """Describes the batches of a language phase."""

    oracle: bool  # visual tokens are sums of word rows, no pixels
    clips: int  # per batch, at the longest length; shorter clips come in larger batches of as many visual tokens
    questions: int  # per clip
    frames: Sequence[tuple[int, int]]  # (first step, frames): lengths that are in use from a step on
    far_share: float  # clips whose ticks carry random times
    farthest: int  # the largest such time, ticks
    subset_share: float  # batches that show a random subset of the visual tokens
    subset: tuple[int, int]  # its size, in tokens
    most_clips: int
    clock: ClockSettings | None = None  # films without questions, beside each batch
    length_told: bool = False  # every clip is part of a film whose length is told; times are asked in that film


def vision_batch(generator: np.random.Generator, clips: int, frames: int, settings: ClipSettings) -> VisionBatch:
    """Draws a batch for the vision phase."""
    pixels, contents = draw_batch(generator, clips, frames, settings)
    objects = torch.from_numpy(contents[:, :, 0].astype(np.int64))
    return VisionBatch(torch.from_numpy(pixels), objects, torch.from_numpy(steady(contents)))


def language_batch(
    generator: np.random.Generator,
    step: int,
    settings: LanguageSettings,
    clip_settings: ClipSettings,
    asker: Asker,
    window: int,
) -> LanguageBatch:
    """Draws a batch for a language phase at a step of its curriculum."""
    lengths = [frames for first, frames in settings.frames if step >= first]
    frames = int(lengths[generator.integers(len(lengths))])
    clips = min(settings.most_clips, settings.clips * max(length for _, length in settings.frames) // frames)
    ticks, total = frames // FRAMES_PER_TICK, frames // FRAMES_PER_TICK * CELLS
    if settings.oracle:
        pixels, contents = None, draw_contents(generator, clips, frames, clip_settings)
    else:
        drawn, contents = draw_batch(generator, clips, frames, clip_settings)
        pixels = torch.from_numpy(drawn)
    subset = generator.random() < settings.subset_share and total > settings.subset[0]
    size = int(generator.integers(settings.subset[0], min(settings.subset[1], total) + 1)) if subset else total
    kept = np.stack([np.sort(generator.permutation(total)[:size]) for _ in range(clips)])
    far = generator.random(clips) < settings.far_share
    drawn_times = [_far_times(generator, ticks, settings.farthest) if f else (np.arange(ticks), ticks) for f in far]
    times = np.stack([time for time, _ in drawn_times])
    films = np.array([film for _, film in drawn_times])
    posed = []
    for clip in range(clips):
        objects, when = visible_objects(contents[clip], kept[clip])
        long, timed = ticks, not far[clip] and not subset
        if settings.length_told:
            when, long, timed = times[clip][when], int(films[clip]), True
        posed.append([asker.ask(generator, objects, when, long, timed) for _ in range(settings.questions)])
    tokens = contents[:, :, 0].reshape(clips, total, 3)
    return LanguageBatch(
        packed=pack(posed, kept, times, asker.vocabulary, window, lengths=films if settings.length_told else None),
        pixels=pixels,
        objects=torch.from_numpy(np.take_along_axis(tokens, kept[..., None], axis=1).astype(np.int64)),
        kept=torch.from_numpy(kept),
        questions=[question for row in posed for question in row],
        clock=None if settings.clock is None else clock_batch(generator, settings.clock, asker.vocabulary),
    )


def _far_times(generator: np.random.Generator, ticks: int, farthest: int) -> tuple[np.ndarray, int]:
    """Times of the ticks of a group somewhere in a long film, and the length of that film, in ticks.

    The ticks are scattered, evenly spread, neighbours far out, or runs of RUN neighbours.
    """
    end = int(np.exp(generator.uniform(np.log(ticks + 1), np.log(farthest))))
    kind = generator.integers(4)
    if kind == 0:
        return np.sort(generator.permutation(end)[:ticks]), end
    if kind == 3 and ticks >= 2 * RUN:
        runs = -(-ticks // RUN)  # the last may be shorter
        starts = np.sort(generator.integers(end - ticks + 1, size=runs)) + RUN * np.arange(runs)
        return (starts[:, None] + np.arange(RUN)).reshape(-1)[:ticks], end
    stride = end // ticks if kind == 1 else 1
    return int(generator.integers(end - stride * (ticks - 1))) + stride * np.arange(ticks), end


def vocabulary_of(tokenizer: Any) -> Mapping[str, int]:
    """Maps each word of a tokenizer to its id."""
    return dict(tokenizer.get_vocab())
