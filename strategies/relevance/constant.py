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
    """Relevance 0 for every group. Needs nothing."""

    def relevance(self, view: GroupView) -> Relevance:
        """Value and raw 0."""
        return Relevance(0.0, 0.0, "none")
