"""What a gaze kept and what it cost the picture, in numbers: per frame and over the video.

error = loss / loss of keeping nothing; over a video, the sums of both.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.inspect.video import Seen

PER_FRAME = ("frame", "seconds", "clip", "picks")


@dataclass(frozen=True)
class FrameFigures:
    """Holds the figures of one frame."""

    frame: int  # number in the file
    seconds: float
    clip: int
    picks: tuple[int, ...]  # of each scale, coarse first, in all tiles
    loss: float
    nothing: float
    predicted: float

    @property
    def error(self) -> float:
        """Returns the true error, relative to keeping nothing."""
        return relative(self.loss, self.nothing)

    @property
    def predicted_error(self) -> float:
        """Returns the error that the loss heads predict, relative to keeping nothing."""
        return relative(self.predicted, self.nothing)


@dataclass(frozen=True)
class Figures:
    """Holds the figures of all frames of a video."""

    frames: tuple[FrameFigures, ...]
    vocabulary: Vocabulary
    tiles: int  # of a frame
    epsilon: float | None

    @property
    def per_scale(self) -> list[int]:
        """Returns the number of picks of each scale, coarse first."""
        return [sum(column) for column in zip(*(one.picks for one in self.frames), strict=True)]

    @property
    def kept(self) -> int:
        """Returns the number of picks, of all scales and frames."""
        return sum(self.per_scale)

    @property
    def words(self) -> list[int]:
        """Returns how many patches there are of each scale, in all frames."""
        return [len(self.frames) * self.tiles * grid**2 for grid in self.vocabulary.grids]

    @property
    def reduction(self) -> float:
        """Returns how many times fewer patches are kept than the finest scale has.

        Those of the finest scale are what a vision tower would read.
        """
        return self.words[-1] / self.kept

    @property
    def error(self) -> float:
        """Returns the true error of the video, relative to keeping nothing."""
        return relative(sum(one.loss for one in self.frames), sum(one.nothing for one in self.frames))

    @property
    def predicted_error(self) -> float:
        """Returns the error of the video that the loss heads predict, relative to keeping nothing."""
        return relative(sum(one.predicted for one in self.frames), sum(one.nothing for one in self.frames))

    @property
    def met(self) -> bool | None:
        """Says whether the true error is within epsilon; None if no epsilon was asked for."""
        return None if self.epsilon is None else self.error <= self.epsilon

    @property
    def frames_within(self) -> int | None:
        """Counts the frames whose own error is within epsilon; None if no epsilon was asked for."""
        return None if self.epsilon is None else sum(one.error <= self.epsilon for one in self.frames)

    def summary(self) -> dict[str, Any]:
        """Returns the figures of the video as plain values."""
        per_scale = zip(self.vocabulary.scales, self.per_scale, self.words, strict=True)
        return {
            "frames": len(self.frames),
            "kept": self.kept,
            "per_scale": [{"scale": scale, "kept": kept, "of": words} for scale, kept, words in per_scale],
            "share_of_all_scales": self.kept / sum(self.words),
            "finest_patches": self.words[-1],
            "reduction": self.reduction,
            "loss": sum(one.loss for one in self.frames) / len(self.frames),
            "loss_of_nothing": sum(one.nothing for one in self.frames) / len(self.frames),
            "error": self.error,
            "predicted_error": self.predicted_error,
            "epsilon": self.epsilon,
            "met": self.met,
            "frames_within": self.frames_within,
        }

    def write(self, path: Path) -> None:
        """Writes a line of CSV per frame, below a line of names."""
        names = [f"picks_{scale}" for scale in self.vocabulary.scales]
        losses = ["loss", "loss_of_nothing", "predicted_loss", "error", "predicted_error"]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*PER_FRAME, *names, *losses])
            for one in self.frames:
                numbers = (one.loss, one.nothing, one.predicted, one.error, one.predicted_error)
                begin = (one.frame, round(one.seconds, 6), one.clip, sum(one.picks), *one.picks)
                writer.writerow([*begin, *(round(number, 6) for number in numbers)])


def figures_of(seen: Seen, clip: int, seconds: Sequence[float], vocabulary: Vocabulary) -> list[FrameFigures]:
    """Returns the figures of each frame of a clip; `seconds` are the times of its frames."""
    ids, valid = seen.tiled.picks.ids, seen.tiled.picks.valid
    found = []
    for place, number in enumerate(seen.numbers):
        scale = vocabulary.scale_of(ids[:, place][valid[:, place]])
        picks = torch.bincount(scale, minlength=len(vocabulary.scales)).tolist()
        losses = (float(values[place]) for values in (seen.loss, seen.nothing, seen.predicted))
        found.append(FrameFigures(number, float(seconds[place]), clip, tuple(picks), *losses))
    return found


def relative(loss: float, of_nothing: float) -> float:
    """Returns a loss over that of keeping nothing; 0 where there was nothing to lose."""
    return loss / of_nothing if of_nothing > 0 else 0.0
