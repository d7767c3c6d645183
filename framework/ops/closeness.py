"""How close two tokens of a video are: the cosine of their embeddings, joined with how near they lie in time and place.

    multiply         cos x exp(-|dt| / sigma)
    add              cos + proximity_weight x exp(-|dt| / sigma)
    spatio_temporal  cos x exp(-|dt| / sigma - distance^2 / (2 sigma_cells^2)),  distance in cells

Cosines are rounded: what is beyond is float noise, and would decide between duplicates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from framework.ops.similarity import ROWS, Blocks, cosine_blocks

KERNELS = ("multiply", "add", "spatio_temporal")
DECIMALS = 5  # of a cosine


@dataclass(frozen=True, eq=False)
class Closeness:
    """Holds n tokens in temporal order and how their pairs are judged. Everything lies where `unit` does."""

    unit: Tensor  # f32 [n, D], rows of length 1
    seconds: Tensor  # f64 [n], ascending
    row: Tensor  # i64 [n]
    column: Tensor  # i64 [n]
    kernel: str
    proximity_weight: float
    sigma_seconds: float
    sigma_cells: float
    same_place: bool  # only tokens at the same row and column are related
    rank: Tensor | None = None  # i64 [n], 0 = worth most: a token is related to the worthier ones alone; None: to all

    def blocks(self, rows: Tensor, reach: float) -> Blocks:
        """Compares the tokens `rows` (i64 [m]) with all that lie at most `reach` seconds away.

        A token is not related to itself.
        """
        for part, columns, cosine, gap in cosine_blocks(self.unit, self.seconds, rows, reach):
            similarity = self._joined(cosine, gap, part[:, None], columns)
            related = (gap <= reach) & (part[:, None] != columns)
            if self.same_place:
                related &= self._together(part[:, None], columns)
            if self.rank is not None:
                related &= self.rank[columns] < self.rank[part, None]
            yield part, columns, similarity.masked_fill_(~related, -math.inf)

    def links(self) -> Tensor:
        """Returns the similarity of each token to the one that follows it, f32 [n - 1]; -inf where unrelated.

        They follow each other in time, and with `same_place` place by place.
        """
        unit, at = self.unit, torch.arange(len(self.seconds), device=self.unit.device)
        if self.same_place:
            keys = (self.seconds, self.column, self.row)  # the last one decides first
            at = torch.from_numpy(np.lexsort([key.cpu().numpy() for key in keys])).to(unit.device)
            unit = unit[at]
        first, then = at[:-1], at[1:]
        cosine = torch.empty_like(self.seconds[1:], dtype=torch.float32)
        for one, other, into in zip(unit[:-1].split(ROWS), unit[1:].split(ROWS), cosine.split(ROWS), strict=True):
            torch.linalg.vecdot(one, other, out=into)
        similarity = self._joined(cosine, (self.seconds[then] - self.seconds[first]).abs(), first, then)
        return similarity.masked_fill_(~self._together(first, then), -math.inf) if self.same_place else similarity

    def _joined(self, cosine: Tensor, gap: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
        """Cosines f32 and gaps f64 of pairs (ours, theirs), all of one shape when broadcast, to similarities f32."""
        cosine = cosine.round_(decimals=DECIMALS)
        proximity = (-gap / self.sigma_seconds).exp().float()
        if self.kernel == "spatio_temporal":
            apart = (self.row[ours] - self.row[theirs]) ** 2 + (self.column[ours] - self.column[theirs]) ** 2
            proximity *= (-apart / (2 * self.sigma_cells**2)).exp()
        return cosine + self.proximity_weight * proximity if self.kernel == "add" else cosine.mul_(proximity)

    def _together(self, ours: Tensor, theirs: Tensor) -> Tensor:
        return (self.row[ours] == self.row[theirs]) & (self.column[ours] == self.column[theirs])
