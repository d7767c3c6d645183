"""Enough when a certain group was found and nothing better came for a while.

    best = max relevance so far; b = the visit from which it never rose by more than `gain`
    stop  <=>  H_b <= entropy  and  visits after b >= patience

Like early stopping of training. A false-confident group is overtaken when a more relevant one shows up in time; two
equally certain groups are not told apart. A better group is one by the relevance in use, certainty is read from the
entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class Patience(StoppingPolicy):
    """Stops when no better group came for `patience` visits after a certain one."""

    patience: int
    gain: float
    entropy: float

    def __post_init__(self) -> None:
        if self.patience < 0:
            raise ValueError(f"stopping.patience must be >= 0 groups, got {self.patience}")
        if self.gain < 0:
            raise ValueError(f"stopping.gain must be >= 0, got {self.gain}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, for the entropy."""
        return Needs(logits=True)

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether the best group is certain and was found long enough ago."""
        if not visited:
            return False
        best = 0
        for visit, seen in enumerate(visited):
            if seen.relevance.value > visited[best].relevance.value + self.gain:
                best = visit
        return visited[best].signals["entropy"] <= self.entropy and len(visited) - 1 - best >= self.patience
