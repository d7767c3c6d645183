"""How much a gaze picks, when it stops, and how. Values only; nothing here runs a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.policy import Sampling
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


@dataclass(frozen=True)
class Control:
    """Says how much is picked, where positions are counted from, and whether picks are drawn.

    `budget` is the most picks of a frame: a share of the vocabulary (float, at least one pick) or a count (int). It is
    one number for every frame or one for each; or it is counts i64 [T] or [B, T]. `loss_threshold` stops a frame, after
    its first pick, as soon as its predicted loss is not above it: one number for all, f32 [B], or [B, T]. Errors speak
    of the picks of a frame and of loss_threshold. A caller with another key for the budget adds that key.

    `contiguous` cuts a frame's picks at the first stop and gives every pick its own position, as in training. A video
    then does not depend on those it is batched with. `official` does as the published code: it keeps later picks of a
    chunk whose predicted loss is above the threshold. It feeds all chunks back at the positions of the frame's last
    vision tokens, so that a video can depend on its neighbours. The published weights were measured like this.

    Raises ValueError for another rope_mode, or a loss_threshold that is not finite.
    """

    budget: float | int | Sequence[float] | Sequence[int] | Tensor = 1.0
    loss_threshold: float | Tensor | None = None
    rope_mode: Literal["official", "contiguous"] = "contiguous"
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if self.rope_mode not in ("official", "contiguous"):
            raise ValueError(f"rope_mode must be official or contiguous, got {self.rope_mode!r}")
        if self.loss_threshold is not None and not _finite(self.loss_threshold):
            raise ValueError(f"loss_threshold must be a finite number, got {self.loss_threshold}")

    def of(self, rows: slice) -> Control:
        """Returns the control of some of the videos, those of `rows`."""
        own: dict[str, Any] = {}
        if isinstance(self.budget, Tensor) and self.budget.ndim == 2:
            own["budget"] = self.budget[rows]
        if isinstance(self.loss_threshold, Tensor) and self.loss_threshold.ndim:
            own["loss_threshold"] = self.loss_threshold[rows]
        return replace(self, **own)

    def counts(self, vocabulary: Vocabulary, batch: int, first: int, frames: int) -> Tensor:
        """Returns i64 [B, frames], the most picks of each frame from `first` on.

        Raises ValueError where a number lies outside 1 .. V, or the budget has no number for a frame or video.
        """
        budget = self.budget
        if isinstance(budget, Tensor):
            table = budget.long().cpu()
        elif isinstance(budget, int | float):
            table = torch.full((first + frames,), _count(budget, vocabulary.size))
        else:
            table = torch.tensor([_count(one, vocabulary.size) for one in budget])
        if table.ndim not in (1, 2) or table.shape[-1] < first + frames or (table.ndim == 2 and len(table) != batch):
            raise ValueError(
                f"picks of a frame have the shape {list(table.shape)}: {batch} videos of at least {first + frames} "
                "frames need one number, one a frame, or one a video and frame"
            )
        table = table[..., first : first + frames].expand(batch, frames)
        if bool(((table < 1) | (table > vocabulary.size)).any()):
            raise ValueError(
                f"picks of a frame must be 1 .. {vocabulary.size}, the patches of {list(vocabulary.scales)} pixels; "
                f"got {int(table.min())} .. {int(table.max())}"
            )
        return table

    def thresholds(self, batch: int, first: int, frames: int) -> Tensor | None:
        """Returns f32 [B, frames], the loss threshold of each frame from `first` on, or None where there is none.

        Raises ValueError where `loss_threshold` does not fit the videos and frames.
        """
        if self.loss_threshold is None:
            return None
        given = torch.as_tensor(self.loss_threshold, dtype=torch.float32)
        table = given[:, first : first + frames] if given.ndim == 2 else given[:, None] if given.ndim == 1 else given
        if given.ndim > 2 or (given.ndim and len(given) != batch) or (given.ndim == 2 and table.shape[1] != frames):
            raise ValueError(
                f"loss_threshold has the shape {list(given.shape)}: {batch} videos of at least {first + frames} "
                "frames need one number, one a video, or one a video and frame"
            )
        return table.expand(batch, frames)


def _finite(value: float | Tensor) -> bool:
    return bool(torch.as_tensor(value).isfinite().all())


def _count(value: float | int, size: int) -> int:
    if isinstance(value, int):
        return value
    if not (math.isfinite(value) and 0 < value <= 1):
        raise ValueError(f"picks of a frame, as a share of its {size} patches, must lie within (0, 1], got {value}")
    return max(1, int(value * size))
