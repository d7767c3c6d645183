"""All groups are equally relevant: for presets that never probe the model, such as uniform sampling.

Costs nothing: no probe is made unless another strategy asks for one. Allocators then share by size and index alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView


@dataclass(frozen=True)
class Constant(RelevanceEstimator):
    """Gives every group the relevance 0. It needs nothing."""

    def relevance(self, view: GroupView) -> Relevance:
        """Returns 0 as value and as raw value."""
        return Relevance(0.0, 0.0, "none")
