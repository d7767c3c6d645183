"""Which gaze model `autogaze.checkpoint` means, and where its frames end.

What is known of the weights is read first, so that a wrong setting is refused before anything heavy; the weights are
read when they are needed.
"""

from __future__ import annotations

from functools import cached_property

import torch

from framework.core.errors import UsageError
from strategies.learned.autogaze.gaze import checkpoint as stored
from strategies.learned.autogaze.gaze.calibration import Calibration, LossSpace, check_epsilon
from strategies.learned.autogaze.gaze.checkpoint import About
from strategies.learned.autogaze.gaze.model import Gaze

KEY = "autogaze.checkpoint"


class Source:
    """Finds a gaze model and reads what is known of it.

    Raises ValueError naming the key to change (`key`), when there is none.
    """

    def __init__(self, checkpoint: str | None, key: str = KEY) -> None:
        if checkpoint is None:
            raise ValueError(
                f"{key} is not set: the gaze is a trained model. {key}=PATH takes one of `sieve train "
                f"recipe=autogaze_ntp` or `recipe=autogaze_grpo`, or a published folder; {key}=random:0 has random "
                "weights, to compare with"
            )
        self.checkpoint, self.key = checkpoint, key
        try:
            self.about: About = stored.read(checkpoint)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error

    @cached_property
    def gaze(self) -> Gaze:
        """Loads the weights, frozen, on the accelerator where there is one. Raises UsageError where they do not fit."""
        device = torch.accelerator.current_accelerator(True) or torch.device("cpu")
        try:
            gaze = stored.load(self.checkpoint)[0]
        except ValueError as error:
            raise UsageError(f"{self.key}: {error}") from error
        return gaze.to(device).requires_grad_(False)

    @property
    def finest(self) -> int:
        """Returns the number of patches along a side of the finest scale."""
        return self.about.config.vocabulary.grids[-1]

    @property
    def space(self) -> LossSpace:
        """Returns what the loss heads say: `plain`, the loss, or `log`, its logarithm. Published ones say the loss."""
        stored = (self.about.calibration or {}).get("space", self.about.notes.get("loss_space"))
        return "log" if stored == "log" else "plain"

    @property
    def reached(self) -> float:
        """Returns the smallest error that the calibration holds, as an epsilon; infinite where there is no calibration.

        It is the error of the smallest threshold.
        """
        table = self.about.calibration
        return float("inf") if table is None else Calibration.read(table).errors[0]

    def threshold(self, loss_threshold: float | None, epsilon: float | None) -> float | None:
        """Returns the predicted loss at which a frame ends, given at most one of the two; None where neither is given.

        An `epsilon` below all that the calibration reached gets the smallest threshold that it holds. Raises ValueError
        where both are given, `epsilon` is outside (0, 1], or the weights have no calibration for it.
        """
        if epsilon is None:
            return loss_threshold
        check_epsilon(epsilon)
        if loss_threshold is not None:
            raise ValueError("loss_threshold and epsilon say when a frame ends in two ways: set one of them to null")
        if self.about.calibration is None:
            raise ValueError(
                f"epsilon={epsilon} needs a calibration saved with the weights, and {self.checkpoint} has none: set "
                "loss_threshold instead, or take weights of `sieve train recipe=autogaze_ntp` or `recipe=autogaze_grpo`"
            )
        return Calibration.read(self.about.calibration).loss_threshold(epsilon)
