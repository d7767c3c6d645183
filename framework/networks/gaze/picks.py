"""What a gaze picked, and what decides how much it picks. Values only; nothing here runs a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from framework.networks.gaze.policy import Sampling
from framework.networks.gaze.vocabulary import Vocabulary


class Absolute(NamedTuple):
    """Picks in the published layout: frames one after the other."""

    ids: Tensor  # i64 [B, N]: frame * V + id; what padded slots hold is the first id of the next frame
    padded: Tensor  # bool [B, N], the only test of padding
    counts: Tensor  # i64 [T]: slots of each frame, padding included


@dataclass(frozen=True)
class Picks:
    """Patches picked in each frame, in order. B videos, T frames, n slots."""

    ids: Tensor  # i64 [B, T, n], within the frame; eos where there is none
    valid: Tensor  # bool [B, T, n]; official stopping may leave a gap between two picks
    predicted: Tensor | None = None  # f32 [B, T, n]: loss predicted for the frame after this pick; `scored` fills it in
    log_probabilities: Tensor | None = None  # f32 [B, T, n]
    slots: tuple[int, ...] | None = None  # of each frame, as decoded together; n of each if not given

    def __post_init__(self) -> None:
        for name in ("ids", "valid", "predicted", "log_probabilities"):
            value = getattr(self, name)
            if value is not None and (value.ndim != 3 or value.shape != self.ids.shape):
                raise ValueError(
                    f"picks are [videos, frames, slots]: ids are {list(self.ids.shape)}, {name} {list(value.shape)}"
                )

    @classmethod
    def of(cls, videos: Sequence[Sequence[Sequence[int]]], vocabulary: Vocabulary) -> Picks:
        """Videos of frames of ids, padded; every video needs as many frames."""
        if len({len(frames) for frames in videos}) != 1 or not videos[0]:
            raise ValueError(f"videos need the same number of frames, got {[len(frames) for frames in videos]}")
        widest = max(1, *(len(ids) for frames in videos for ids in frames))
        table = torch.full((len(videos), len(videos[0]), widest), vocabulary.eos)
        for row, frames in enumerate(videos):
            for frame, ids in enumerate(frames):
                table[row, frame, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
        if bool(((table < 0) | (table > vocabulary.eos)).any()):
            raise ValueError(f"ids must lie within 0 .. {vocabulary.size - 1}, each counted within its frame")
        return cls(table, table != vocabulary.eos)

    @property
    def counts(self) -> Tensor:
        """i64 [B, T]: picks of each frame."""
        return self.valid.sum(2)

    def to(self, device: torch.device | str) -> Picks:
        """The same on a device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)

    def lists(self) -> list[list[list[int]]]:
        """Videos of frames of ids: what `of` reads."""
        return [
            [ids[valid].tolist() for ids, valid in zip(*frames, strict=True)]
            for frames in zip(self.ids.cpu(), self.valid.cpu(), strict=True)
        ]

    def absolute(self, vocabulary: Vocabulary) -> Absolute:
        """The published layout."""
        frames, most = self.ids.shape[1:]
        slots = self.slots or (most,) * frames
        keep = torch.cat([torch.arange(most) < count for count in slots])
        numbers = self.ids + vocabulary.size * torch.arange(frames, device=self.ids.device)[:, None]
        return Absolute(numbers.flatten(1)[:, keep], ~self.valid.flatten(1)[:, keep], torch.tensor(slots))


@dataclass(frozen=True)
class Control:
    """How much is picked, where positions are counted from, and whether picks are drawn.

    `budget`, the most picks of a frame: a share of the vocabulary (float, at least one pick) or a count (int), of every
    frame alike or one for each; or counts i64 [T] or [B, T]. `loss_threshold` stops a frame, after its first pick, as
    soon as its predicted loss is not above it: one for all, f32 [B], or [B, T].

    `contiguous` cuts a frame's picks at the first stop and gives every pick its own position, as in training; a video
    does not depend on those it is batched with. `official` does as the published code: it keeps later picks of a chunk
    whose predicted loss is above the threshold, and feeds all chunks back at the positions of the frame's last vision
    tokens, so that a video can depend on its neighbours; the published weights were measured like this.
    """

    budget: float | int | Sequence[float] | Sequence[int] | Tensor = 1.0
    loss_threshold: float | Tensor | None = None
    rope_mode: Literal["official", "contiguous"] = "contiguous"
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if self.rope_mode not in ("official", "contiguous"):
            raise ValueError(f"gaze.rope_mode must be official or contiguous, got {self.rope_mode!r}")
        if self.loss_threshold is not None and not _finite(self.loss_threshold):
            raise ValueError(f"gaze.loss_threshold must be a finite number, got {self.loss_threshold}")

    def counts(self, vocabulary: Vocabulary, batch: int, first: int, frames: int) -> Tensor:
        """i64 [B, frames]: the most picks of each frame from `first` on. ValueError beyond 1 .. V."""
        budget = self.budget
        if isinstance(budget, Tensor):
            table = budget.long().cpu()
        elif isinstance(budget, int | float):
            table = torch.full((first + frames,), _count(budget, vocabulary.size))
        else:
            table = torch.tensor([_count(one, vocabulary.size) for one in budget])
        if table.ndim not in (1, 2) or table.shape[-1] < first + frames or (table.ndim == 2 and len(table) != batch):
            raise ValueError(
                f"gaze.budget has the shape {list(table.shape)}: {batch} videos of at least {first + frames} frames "
                "need one number, one a frame, or one a video and frame"
            )
        table = table[..., first : first + frames].expand(batch, frames)
        if bool(((table < 1) | (table > vocabulary.size)).any()):
            raise ValueError(
                f"gaze.budget must be 1 .. {vocabulary.size} picks a frame, the patches of {list(vocabulary.scales)} "
                f"pixels; got {int(table.min())} .. {int(table.max())}"
            )
        return table

    def thresholds(self, batch: int, first: int, frames: int) -> Tensor | None:
        """f32 [B, frames], or None where there is no threshold."""
        if self.loss_threshold is None:
            return None
        given = torch.as_tensor(self.loss_threshold, dtype=torch.float32)
        table = given[:, first : first + frames] if given.ndim == 2 else given[:, None] if given.ndim == 1 else given
        if given.ndim > 2 or (given.ndim and len(given) != batch) or (given.ndim == 2 and table.shape[1] != frames):
            raise ValueError(
                f"gaze.loss_threshold has the shape {list(given.shape)}: {batch} videos of at least {first + frames} "
                "frames need one number, one a video, or one a video and frame"
            )
        return table.expand(batch, frames)


def _finite(value: float | Tensor) -> bool:
    return bool(torch.as_tensor(value).isfinite().all())


def _count(value: float | int, size: int) -> int:
    if isinstance(value, int):
        return value
    if not (math.isfinite(value) and 0 < value <= 1):
        raise ValueError(f"gaze.budget as a share of the {size} patches must lie within (0, 1], got {value}")
    return max(1, int(value * size))
