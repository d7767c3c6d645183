"""Enough when a share of the groups was visited, whatever they showed: a fixed cost for an order that looks well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup


@dataclass(frozen=True)
class Share(StoppingPolicy):
    """Stops after ceil(share x groups) visits."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"stopping.share must lie within 0..1, above 0, got {self.share}")

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether that many groups were visited."""
        return len(visited) >= math.ceil(round(self.share * (len(visited) + remaining), 9))
