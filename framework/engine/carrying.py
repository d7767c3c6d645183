"""Carries kept places over from the grid of one backbone to that of another, which sees the same ticks.

Both grids cut the same frame into equal cells. On equal grids a place stays what it is. Else a cell of the new grid is
worth the share of its area that kept cells cover, and as many cells are taken as cover the same share of the frame:
ceil(K * new / old), at most the budget. A group keeps its part of them. Ties go to the higher score, then to the
earlier place. A cell is taken once, however many kept cells lie on it. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from framework.core.types import Candidates, Layout, Selection
from framework.ops.apportion import apportion


@dataclass(frozen=True)
class Places:
    """Holds places on a grid, in temporal order: tick, row, column and group, each i64 [K]."""

    tick: Tensor
    row: Tensor
    column: Tensor
    group: Tensor
    budget: int

    def __len__(self) -> int:
        return len(self.tick)


def carried(kept: Selection, score: Tensor, old: Layout, new: Layout, budget: int) -> Places:
    """Returns the places of `kept` (K tokens, each with a score, f32 [K]) on another grid.

    `old` and `new` are the layouts of one tick. `budget` is that of the new grid.
    """
    tokens = kept.tokens
    if _shape(old) == _shape(new):
        return Places(tokens.tick, tokens.row, tokens.column, kept.group, kept.budget)
    area = _overlap(_shape(new), _shape(old))  # [new cells, old cells]
    ticks, at = tokens.tick.unique(return_inverse=True)
    there = torch.zeros(len(ticks), len(old), dtype=torch.float64)
    worth = torch.zeros_like(there)
    cell = tokens.row * _shape(old)[1] + tokens.column
    there[at, cell], worth[at, cell] = 1.0, score.double()
    covered, worth = there @ area.T, worth @ area.T  # [ticks, new cells]
    group = torch.zeros_like(ticks).index_copy_(0, at, kept.group)  # a tick lies in one group
    taken = _taken(covered.numpy(), worth.numpy(), group.numpy(), kept, _count(len(tokens), old, new, budget))
    tick, chosen = torch.from_numpy(taken).nonzero(as_tuple=True)
    columns = _shape(new)[1]
    return Places(ticks[tick], chosen // columns, chosen % columns, group[tick], len(tick))


def budget_on(old: Layout, new: Layout, budget: int) -> int:
    """Returns how many tokens of the grid `old` cover as much as `budget` tokens of the grid `new`, rounded up."""
    return -(-budget * len(old) // len(new))


def scores_of(selection: Selection, candidates: Candidates) -> Tensor:
    """Returns the scores of the kept tokens, f32 [K]: those of the candidates at the same places."""
    there, kept = _numbers(candidates.tokens, candidates), _numbers(selection.tokens, candidates)
    order = there.argsort()
    return candidates.score[order[torch.searchsorted(there[order], kept)]]


def _numbers(tokens: object, among: Candidates) -> Tensor:
    """One number per place, the same for the same place, on the CPU."""
    tick, row, column = (getattr(tokens, name).cpu() for name in ("tick", "row", "column"))
    rows, columns = int(among.tokens.row.max()) + 1, int(among.tokens.column.max()) + 1
    return (tick * rows + row) * columns + column


def _count(kept: int, old: Layout, new: Layout, budget: int) -> int:
    return min(budget, -(-kept * len(new) // len(old)))


def _taken(covered: np.ndarray, worth: np.ndarray, group: np.ndarray, kept: Selection, count: int) -> np.ndarray:
    """Which cells are taken, bool [ticks, cells]: of each group its part of `count`, the best covered ones."""
    indices = np.unique(group)
    many = [int((kept.group == int(index)).sum()) for index in indices]
    touched = [int((covered[group == index] > 0).sum()) for index in indices]
    taken = np.zeros(covered.shape, dtype=bool)
    for index, quota in zip(indices, apportion(many, touched, count, many), strict=True):
        rows = np.flatnonzero(group == index)
        best = np.lexsort((-worth[rows].ravel(), -covered[rows].ravel()))[:quota]  # stable: ties to the earlier place
        mine = np.zeros(covered[rows].size, dtype=bool)
        mine[best] = True
        taken[rows] = mine.reshape(len(rows), -1)
    return taken


def _shape(tick: Layout) -> tuple[int, int]:
    """Rows and columns of the grid that one tick makes."""
    return int(tick.row.max()) + 1, int(tick.column.max()) + 1


def _overlap(new: tuple[int, int], old: tuple[int, int]) -> Tensor:
    """The area that each cell of `new` shares with each of `old`, f64 [new cells, old cells], in whole units."""
    rows, columns = (_shared(new[axis], old[axis]) for axis in (0, 1))
    return torch.einsum("ab,cd->acbd", rows, columns).flatten(2).flatten(0, 1)


def _shared(new: int, old: int) -> Tensor:
    """The length that each of `new` equal parts of a line new * old long shares with each of `old`: f64 [new, old]."""
    mine, theirs = torch.arange(new)[:, None] * old, torch.arange(old) * new
    return (torch.minimum(mine + old, theirs + new) - torch.maximum(mine, theirs)).clamp(min=0).double()
