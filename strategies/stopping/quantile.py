"""Enough when several groups stand out from what this video's groups look like, in no absolute unit.

    stop  <=>  visited >= min_visited  and  #{g visited: H_g < ratio x Q} >= groups,    Q = `quantile` of all H visited

A threshold in nats opens at very different rates for different models and numbers of options; a ratio to the
typical group of the same question moves with them. It never stops when all groups are alike, certain or not.
Source: own, after the public finding that fixed thresholds do not carry from one model to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class Quantile(StoppingPolicy):
    """Stops when `groups` groups have an entropy below `ratio` times a quantile of those seen."""

    groups: int
    quantile: float
    ratio: float
    min_visited: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"stopping.groups must be >= 1, got {self.groups} (stopping=never looks at everything)")
        if not 0 <= self.quantile <= 1:
            raise ValueError(f"stopping.quantile must lie in [0, 1], got {self.quantile}")
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"stopping.ratio must lie in [0, 1], got {self.ratio}")
        if self.min_visited < 2:
            raise ValueError(f"stopping.min_visited must be >= 2 to have a distribution, got {self.min_visited}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, for the entropy."""
        return Needs(logits=True)

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether enough groups stand out."""
        if len(visited) < self.min_visited:
            return False
        entropy = np.array([seen.signals["entropy"] for seen in visited])
        return int((entropy < self.ratio * np.quantile(entropy, self.quantile)).sum()) >= self.groups
