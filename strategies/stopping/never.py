"""Look at every group: full AdaptToken, and the identity of early stopping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.core.interfaces import StoppingPolicy
from framework.core.types import ScoredGroup


@dataclass(frozen=True)
class Never(StoppingPolicy):
    """Looks at every group: it is never enough."""

    stops = False

    def enough(self, visited: Sequence[ScoredGroup], remaining: int) -> bool:
        """Returns False, always."""
        return False
