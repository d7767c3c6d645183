"""Enough when several groups made the model certain, whatever they made it say.

    stop  <=>  visited >= min_visited  and  #{g visited: H_g <= entropy} >= groups

H is the entropy of a group's response over the vocabulary: the mean of the least certain 10 % of its tokens, as in
`relevance=entropy`. A single false-confident group
counts like a true one, and the threshold belongs to one model: `agreement` and `quantile` answer these two. Source:
AdaptToken-Lite (arXiv 2603.28696) as far as it is public; numbers calibrated per backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup
from framework.core.view import Needs


@dataclass(frozen=True)
class Certain(StoppingPolicy):
    """Stops when `groups` groups are certain. An `entropy` below 0 never stops."""

    groups: int
    entropy: float
    min_visited: int

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ValueError(f"stopping.groups must be >= 1, got {self.groups} (stopping=never looks at everything)")
        if self.min_visited < 0:
            raise ValueError(f"stopping.min_visited must be >= 0, got {self.min_visited}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, for the entropy."""
        return Needs(logits=True)

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Says whether enough groups are certain."""
        certain = sum(seen.signals["entropy"] <= self.entropy for seen in visited)
        return len(visited) >= self.min_visited and certain >= self.groups
