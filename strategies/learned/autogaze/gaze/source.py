"""Which gaze model `autogaze.checkpoint` means, and where its frames end. Knows no strategy.

What is known of the weights is read first, so that a wrong setting is refused before anything heavy; the weights are
read when they are needed.
"""

from __future__ import annotations

from functools import cached_property

import torch

from strategies.learned.autogaze.gaze import checkpoint as stored
from strategies.learned.autogaze.gaze.calibration import Calibration, LossSpace, check_epsilon
from strategies.learned.autogaze.gaze.checkpoint import About
from strategies.learned.autogaze.gaze.model import Gaze

KEY = "autogaze.checkpoint"


class Source:
    """A gaze model that is there. ValueError naming the key to change (`key`), when there is none."""

    def __init__(self, checkpoint: str | None, key: str = KEY) -> None:
        if checkpoint is None:
            raise ValueError(
                f"{key} is not set: the gaze is a trained model. {key}=PATH takes one of `sieve train gaze=ntp` or "
                f"`gaze=grpo`, or a published folder; {key}=random:0 has random weights, to compare with"
            )
        self.checkpoint = checkpoint
        try:
            self.about: About = stored.read(checkpoint)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error

    @cached_property
    def gaze(self) -> Gaze:
        """The weights, on the accelerator where there is one."""
        device = torch.accelerator.current_accelerator(True) or torch.device("cpu")
        return stored.load(self.checkpoint)[0].to(device).requires_grad_(False)

    @property
    def finest(self) -> int:
        """Patches along a side of the finest scale."""
        return self.about.config.vocabulary.grids[-1]

    @property
    def space(self) -> LossSpace:
        """What its loss heads say; published ones the plain loss."""
        stored = (self.about.calibration or {}).get("space", self.about.notes.get("loss_space"))
        return "log" if stored == "log" else "plain"

    @property
    def reached(self) -> float:
        """The smallest error that its calibration holds, of an epsilon; infinite where there is none."""
        table = self.about.calibration
        return float("inf") if table is None else Calibration.read(table).errors[0]

    def threshold(self, loss_threshold: float | None, epsilon: float | None) -> float | None:
        """The predicted loss at which a frame ends, given at most one of the two; ValueError otherwise.

        An `epsilon` below all that the calibration reached gets the smallest threshold that it holds.
        """
        if epsilon is None:
            return loss_threshold
        check_epsilon(epsilon)
        if loss_threshold is not None:
            raise ValueError("loss_threshold and epsilon say when a frame ends in two ways: set one of them to null")
        if self.about.calibration is None:
            raise ValueError(
                f"epsilon={epsilon} needs a calibration saved with the weights, and {self.checkpoint} has none: set "
                "loss_threshold instead, or take weights of `sieve train gaze=ntp` or `gaze=grpo`"
            )
        return Calibration.read(self.about.calibration).loss_threshold(epsilon)
