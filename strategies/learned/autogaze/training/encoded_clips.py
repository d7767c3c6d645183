"""Lets a gaze read its clips once, however often it is asked about them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.stem import State


class Watched:
    """Holds a gaze that has watched its clips, so that what it saw is computed once.

    It serves `times` rollouts of each clip, in a row, while they are drawn and while they are scored. For the rest it
    is that gaze.
    """

    def __init__(self, gaze: Gaze, pixels: Tensor, times: int) -> None:
        self.gaze, self.tokens = gaze, gaze.vision(pixels)[0].repeat_interleave(times, 0)

    def vision(self, pixels: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Returns the vision tokens of the watched clips, whatever `pixels` shows, and an empty state."""
        return self.tokens, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.gaze, name)
