"""Who picks patches in the AutoGaze experiments, and where trained ones lie.

A policy is asked for picks at a budget; one with trained loss heads also for those of its own stopping. Picks come in
the ids of the reconstructor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from strategies.learned.autogaze.gaze.calibration import as_loss
from strategies.learned.autogaze.gaze.checkpoint import FILE
from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip, score_picks
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import normalise
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary

ALL_SCALES, FINEST_ONLY, COARSE, DIFFERENCE = "random", "random_finest", "coarse_first", "frame_difference"
UNTRAINED, GREEDY = "untrained", "greedy"
ORDERED = (ALL_SCALES, FINEST_ONLY, COARSE, DIFFERENCE)
STEPS = 3000  # of next-pick prediction and reinforcement together
ARMS = {  # what `sieve train` is told, beside the folder
    "ntp": "recipe=autogaze_ntp",
    "grpo_only": f"recipe=autogaze_grpo recipe.start=null recipe.schedule.steps={STEPS}",
    "grpo": "recipe=autogaze_grpo",
    "ntp_one_head": "recipe=autogaze_ntp recipe.network.heads_ahead=1",
    "ntp_single_scale": "recipe=autogaze_ntp recipe.labels=[{folder}/autogaze_labels_single_scale/labels.json]",
}
SHUFFLED = {"grpo_elsewhere": "grpo"}  # picks of one policy for one clip, used on another
POLICIES = (UNTRAINED, *ORDERED, *ARMS, *SHUFFLED, GREEDY)
SINGLE_STREAMS = {ALL_SCALES: 0, FINEST_ONLY: 1}  # of random orders


def checkpoint_of(name: str, folder: Path) -> str:
    """Returns the checkpoint of a learned policy.

    SystemExit with the command that makes it, where there is none.
    """
    if name == UNTRAINED:
        return "random:0"
    name = SHUFFLED.get(name, name)
    place = folder / f"autogaze_{name}" / "checkpoint"
    if not (place / FILE).is_file():
        words = f"{ARMS[name]} folder={{folder}}/autogaze_{name}".format(folder=folder)
        raise SystemExit(f"arms: {name} is not at {place}: `sieve train {words}` makes it, or leave it out of arms=")
    return str(place)


def fingerprint(path: Path) -> str:
    """Returns the first 16 digits of the SHA-256 of what a file holds."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Learned:
    """Holds a gaze model, and the vocabulary of the reconstructor that judges it."""

    checkpoint: str
    judge: Vocabulary

    @cached_property
    def source(self) -> Source:
        """Reads its weights. Raises ValueError where there are none, or where its frames are of another size."""
        source = Source(self.checkpoint, "arms")
        source.gaze.cpu()  # where the clips are
        if source.about.config.side != self.judge.scales[-1]:
            raise ValueError(f"{self.checkpoint} reads {source.about.config.side} pixels, not {self.judge.scales[-1]}")
        return source

    @cached_property
    def ids(self) -> Tensor:
        """Returns the id of the reconstructor for each id of its own, i64 [size + 1]."""
        return translation(self.source.about.config.vocabulary, self.judge)

    def picks(self, pixels: Tensor, most: int, threshold: float | None = None, predicted: bool = False) -> Picks:
        """Picks patches of normalised clips: at most `most` in a frame, or until the predicted loss meets `threshold`.

        With `predicted` the picks come with the loss predicted after each, in the reconstructor's units.
        """
        gaze, about = self.source.gaze, self.source.about
        picks = gaze_clip(gaze, pixels, Control(min(most, gaze.vocabulary.size), threshold, about.rope_mode))
        losses = None
        if predicted:
            losses = score_picks(gaze, pixels, picks).predicted
            losses = None if losses is None else as_loss(losses, self.source.space)
        return Picks(self.ids[picks.ids], picks.valid, losses)

    def thresholds(self, pixels: Tensor, most: int, count: int) -> list[float]:
        """Returns rising loss thresholds, in the units of its heads.

        They are `count` quantiles of what the heads predict along `most` picks a frame.
        """
        gaze = self.source.gaze
        picks = gaze_clip(gaze, pixels, Control(min(most, gaze.vocabulary.size), None, self.source.about.rope_mode))
        said = score_picks(gaze, pixels, picks).predicted
        assert said is not None
        return np.unique(np.quantile(said.double().numpy(), np.linspace(0, 1, count))).tolist()


def translation(own: Vocabulary, other: Vocabulary) -> Tensor:
    """Returns the id in `other` of each id of `own`, i64 [size + 1], eos last.

    Raises ValueError where a scale is missing there, or where patches are of another size.
    """
    if own.patch != other.patch or not set(own.scales) <= set(other.scales):
        raise ValueError(
            f"the gaze picks patches of {own.patch} pixels at {list(own.scales)}, the reconstructor reads patches of "
            f"{other.patch} at {list(other.scales)}"
        )
    starts = [other.starts[other.scales.index(scale)] for scale in own.scales]
    ids = [torch.arange(grid**2) + start for grid, start in zip(own.grids, starts, strict=True)]
    return torch.cat([*ids, torch.tensor([other.eos])])


def orders(name: str, pixels: Tensor, clips: Iterable[int], vocabulary: Vocabulary, seed: int) -> Tensor:
    """Returns the order in which a policy picks, i64 [N, T, V'], of clips with these numbers.

    A budget takes the first of them.
    """
    if name == DIFFERENCE:
        return by_difference(pixels, vocabulary)
    if name == COARSE:
        return coarse_first(pixels.shape[1], vocabulary).expand(len(pixels), -1, -1)
    first = vocabulary.finest.start if name == FINEST_ONLY else 0
    size = (pixels.shape[1], vocabulary.size - first)
    streams = (np.random.default_rng([seed, clip, SINGLE_STREAMS[name]]) for clip in clips)
    return torch.stack([torch.from_numpy(stream.random(size).argsort(1)) for stream in streams]) + first


def coarse_first(frames: int, vocabulary: Vocabulary) -> Tensor:
    """Returns one order for every clip, coarse patches before fine ones, i64 [T, V].

    A scale goes row by row, and begins a quarter further on in every frame. So four frames that take a quarter of the
    coarsest scale each see all of it.
    """
    scales = [torch.arange(grid**2) + start for grid, start in zip(vocabulary.grids, vocabulary.starts, strict=True)]
    return torch.stack(
        [torch.cat([ids.roll(-frame * max(1, len(ids) // 4)) for ids in scales]) for frame in range(frames)]
    )


def by_difference(pixels: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Orders the finest patches by how much they changed since the last frame, most first, i64 [N, T, g * g].

    The first frame is compared with grey.
    """
    grey = normalise(torch.full(pixels.shape[2:], 127.5)).expand(len(pixels), 1, -1, -1, -1)
    change = (pixels - torch.cat([grey, pixels[:, :-1]], 1)).abs().mean(2)
    cells = adaptive_avg_pool2d(change, vocabulary.grids[-1]).flatten(2)
    return cells.argsort(dim=2, descending=True, stable=True) + vocabulary.finest.start


def sizes(budgets: Sequence[int], size: int) -> list[int]:
    """Returns the budgets of a policy that has `size` patches; budgets above it become all of them."""
    return sorted({min(budget, size) for budget in budgets})
