"""Non-maximum suppression in time: a token silences similar, less worthy ones that come shortly before or after it.

Tokens are visited from the one worth most (score x group weight; ties: the earlier place) down. Each that is still
standing silences all others within `window_seconds` whose cosine reaches `threshold`. The standing ones are kept, best
first; if they are fewer than the budget, the silenced ones fill it up, best first, when `fill` says so, or the budget
is not spent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection
from framework.ops.apportion import worth
from framework.ops.similarity import cosine_blocks, unit_rows

TOGETHER = 1024  # tokens that are compared at a time: those worth most lie all over the video


@dataclass(frozen=True)
class TemporalSuppression(TokenRefiner):
    """Removes candidates that are similar to a worthier one shortly before or after them.

    At most `budget` candidates are kept; exactly min(budget, C) with `fill`.
    """

    overshoot: float
    window_seconds: float
    threshold: float
    same_place: bool
    fill: bool

    def __post_init__(self) -> None:
        if self.overshoot < 1:
            raise ValueError(f"refiner.overshoot must be >= 1, got {self.overshoot}")
        if not self.window_seconds > 0:
            raise ValueError(f"refiner.window_seconds must be > 0, got {self.window_seconds}")
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"refiner.threshold must be a cosine in -1..1, got {self.threshold}")

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection [K]."""
        places = (candidates.tokens.column, candidates.tokens.row, candidates.tokens.tick)
        order = np.lexsort([key.cpu().numpy() for key in places])
        at, given = torch.from_numpy(order), candidates.tokens
        row, column = given.row[at], given.column[at]
        ranking = np.lexsort((np.arange(len(order)), -worth(candidates).cpu().numpy()[order]))  # best first
        unit = unit_rows(given.embeddings, at)
        standing = np.ones(len(order), dtype=bool)
        kept: list[int] = []
        for part, columns, cosine, gap in cosine_blocks(
            unit, given.seconds[at], torch.from_numpy(ranking), self.window_seconds, TOGETHER
        ):
            silences = (cosine >= self.threshold - 1e-6) & (gap <= self.window_seconds)  # identical reach 1
            if self.same_place:
                silences &= (row[part, None] == row[columns]) & (column[part, None] == column[columns])
            begin = int(columns[0]) if len(columns) else 0
            for token, row in zip(part.tolist(), silences.cpu().numpy(), strict=True):
                if standing[token] and len(kept) < budget:
                    kept.append(token)
                    standing[begin : begin + len(row)] &= ~row
            if len(kept) == budget:
                break
        if self.fill:
            chosen = set(kept)
            kept += [i for i in ranking.tolist() if i not in chosen][: budget - len(kept)]
        return Selection.of(candidates, torch.from_numpy(order[np.asarray(kept, dtype=np.int64)]), budget)
