"""What a loss head's numbers mean, and which of them a user's error `epsilon` asks for.

Two names stand for two things. `loss_threshold` is compared with what the loss heads say, in their own units; it is any
finite number. `epsilon` in (0, 1] is the reconstruction error relative to keeping nothing. A calibration is a table
that leads from one to the other, measured on clips that were never trained on. Nothing here reads a model or a clip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

LossSpace = Literal["plain", "log"]  # what the heads say: the loss, or its natural logarithm
SPACES = ("plain", "log")
TINY = 1e-4  # losses below it are all alike as logarithms


def as_predicted(loss: Tensor, space: LossSpace) -> Tensor:
    """Returns what a loss head should say of a reconstruction loss; in log space its logarithm, of 1e-4 at least."""
    return loss.clamp_min(TINY).log() if space == "log" else loss


def as_loss(predicted: Tensor, space: LossSpace) -> Tensor:
    """Returns the reconstruction loss that a loss head's number stands for."""
    return predicted.exp() if space == "log" else predicted


@dataclass(frozen=True)
class Calibration:
    """Holds loss thresholds, rising, and what stopping at each led to: the mean error and picks of the measured clips.

    Raises ValueError where a column is empty or of another length, a number is not finite, the thresholds do not rise
    or the space is unknown.
    """

    space: LossSpace
    thresholds: tuple[float, ...]
    errors: tuple[float, ...]  # true loss over the true loss of keeping nothing
    picks: tuple[float, ...]  # per frame
    most: int  # picks of a frame at most

    def __post_init__(self) -> None:
        for name in ("thresholds", "errors", "picks"):
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        columns = (self.thresholds, self.errors, self.picks)
        if len({len(column) for column in columns}) != 1 or not self.thresholds:
            raise ValueError(f"a calibration needs as many errors and picks as thresholds, got {[*map(len, columns)]}")
        if not all(math.isfinite(value) for column in columns for value in column):
            raise ValueError(f"a calibration holds finite numbers, got {self}")
        if any(a >= b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False)):
            raise ValueError(f"the thresholds of a calibration must rise, got {self.thresholds}")
        if self.space not in SPACES:
            raise ValueError(f"the space of a calibration must be one of {', '.join(SPACES)}, got {self.space!r}")

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Calibration:
        """Builds a calibration from what `stored` gave."""
        return cls(**stored)

    def stored(self) -> dict[str, Any]:
        """Returns its fields as plain values, for a file's header."""
        return asdict(self)

    def loss_threshold(self, epsilon: float) -> float:
        """Returns the largest threshold whose error is at most `epsilon`, linear between rows of the table.

        Errors count as rising with the threshold: where a smaller one did worse, the worse counts. Below the table it
        is the smallest threshold, which is as careful as was measured; see `reachable`. Raises ValueError where
        `epsilon` is outside (0, 1].
        """
        check_epsilon(epsilon)
        errors = np.maximum.accumulate(self.errors)
        row = int(np.searchsorted(errors, epsilon, side="right")) - 1
        if row < 0 or row == len(errors) - 1:
            return self.thresholds[max(row, 0)]
        share = (epsilon - errors[row]) / (errors[row + 1] - errors[row])
        return float(self.thresholds[row] + share * (self.thresholds[row + 1] - self.thresholds[row]))

    def reachable(self, epsilon: float) -> bool:
        """Says whether some threshold of the table was as good as `epsilon` on average.

        Errors count as rising with the threshold, so only the smallest threshold is looked at.
        """
        return epsilon >= self.errors[0]


def check_epsilon(epsilon: float) -> float:
    """Returns `epsilon` as a float. Raises ValueError unless it lies within (0, 1]."""
    if not 0 < epsilon <= 1:  # also NaN
        raise ValueError(f"epsilon must lie within (0, 1], the error relative to keeping nothing; got {epsilon}")
    return float(epsilon)
