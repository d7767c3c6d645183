"""Runs several refiners one after the other, each on what the one before kept.

Every part is given its own overshoot: with overshoots a, b, c the chain over-selects a x b x c times the budget, the
first part brings that down to b x c, the next to c, the last to the budget. Scores and weights stay those of the token
at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

import torch

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection, Tokens
from framework.core.view import Needs


@dataclass(frozen=True)
class Chain(TokenRefiner):
    """Runs the parts in the order in which they are written."""

    parts: Mapping[str, TokenRefiner]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("refiner.parts must name at least one refiner, got none")

    @property
    def overshoot(self) -> float:  # type: ignore[override]
        """Returns the product of the parts' overshoots."""
        return math.prod(part.overshoot for part in self.parts.values())

    @property
    def remakes(self) -> bool:
        """Says whether some part remakes embeddings."""
        return any(part.remakes for part in self.parts.values())

    def wider(self, budget: int) -> int | None:
        """Returns ceil(overshoot x budget) where some part takes its overshoot once; None where none does."""
        once = any(part.wider(budget) is not None for part in self.parts.values())
        return math.ceil(round(self.overshoot * budget, 9)) if once else None

    @property
    def needs(self) -> Needs:
        """Asks for all that the parts need."""
        return reduce(lambda all_needs, part: all_needs | part.needs, self.parts.values(), Needs())

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection that the last part keeps."""
        *before, last = self.parts.values()
        for part, leaves in zip(before, self._leaves(budget), strict=False):
            candidates = _again(candidates, part.refine(candidates, question, leaves))
        return last.refine(candidates, question, budget)

    def flops(self, candidates: Candidates, budget: int) -> float:
        """Sums the operations of all parts, each as if it were given the first one's candidates."""
        given = zip(self.parts.values(), self._leaves(budget), strict=True)
        return sum(part.flops(candidates, leaves) for part, leaves in given)

    def _leaves(self, budget: int) -> list[int]:
        """Most tokens that each part may leave; the last one the budget."""
        ahead, leaves = self.overshoot, []
        for part in self.parts.values():
            ahead /= part.overshoot
            leaves.append(math.ceil(ahead * budget - 1e-6))
        return leaves


def _again(candidates: Candidates, selection: Selection) -> Candidates:
    """The selection as candidates: its tokens, with the scores and weights of the candidates at their places."""
    index = {place: i for i, place in enumerate(_places(candidates.tokens))}
    at = torch.tensor([index[place] for place in _places(selection.tokens)], dtype=torch.long)
    return replace(
        candidates,
        tokens=selection.tokens,
        group=selection.group,
        score=candidates.score[at],
        weight=candidates.weight[at],
    )


def _places(tokens: Tokens) -> list[tuple[int, int, int]]:
    return list(zip(tokens.tick.tolist(), tokens.row.tolist(), tokens.column.tolist(), strict=True))
