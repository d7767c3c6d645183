"""Weights that are laid over a backbone's own, such as a published selector's language model. Knows no method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

LayOver = Callable[[Any], None]  # given the loaded model, changes it in place


class WeightOverlay(ABC):
    """Brings weights for a model that is loaded without them. An option of conf/overlay."""

    @abstractmethod
    def prepare(self, base: str, local: bool) -> LayOver | None:
        """Returns what lays the weights over the model at `base` (a folder, or a Hub id if not `local`); None for none.

        Called before a weight of the model is read. Raises ValueError where they do not fit it.
        """
