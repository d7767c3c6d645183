"""Facility location on a grid of tokens: how much of a group its kept tokens explain, and what one more would add.

    error(S) = sum_u w_u min(d0_u, min over v in S that may stand for u of d(u, v)) / sum_u w_u

`d0` is the distance to the mean of the group: what is unexplained when nothing is kept. A token may stand for those at
its own cell and at most `radius` cells away. Ticks are cut into clips: inside a clip a token stands for tokens of any
tick (bidirectional) or of its own and later ticks (causal), and with `carry_over` for those of later clips. The gain of
a token, error(S) - error(S + v), never grows as S grows (submodularity), in floating point too: sums keep their order.
Source: facility location after Nemhauser, Wolsey and Fisher (1978); AutoGaze (arXiv 2603.12254) for the objective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from framework.ops.greedy.distances import between, prepare

MOST = 2**28  # distances held at once, 1 GiB
DIRECTIONS = ("bidirectional", "causal")


@dataclass(frozen=True)
class Reach:
    """Says which tokens one token may stand for."""

    radius: int  # cells in every direction, 0 or more
    direction: str
    clip: int | None  # ticks; None: the group is one clip
    carry_over: bool

    def __post_init__(self) -> None:
        if self.radius < 0:
            raise ValueError(f"scorer.radius must be >= 0 cells, got {self.radius}")
        if self.direction not in DIRECTIONS:
            raise ValueError(f"scorer.direction must be one of {', '.join(DIRECTIONS)}, got {self.direction!r}")
        if self.clip is not None and self.clip < 1:
            raise ValueError(f"scorer.clip must be null or >= 1 tick, got {self.clip}")

    def between_ticks(self, ticks: int) -> Tensor:
        """Returns bool [ticks, ticks]: whether a token of the first tick may stand for one of the second."""
        at = torch.arange(ticks)
        clip = at // (self.clip or ticks)
        inside = clip[:, None] == clip
        if self.direction == "causal":
            inside &= at[:, None] <= at
        return inside | ((clip[:, None] < clip) if self.carry_over else False)


class Facility:
    """Holds the state of one group while tokens are taken: what is left unexplained at every place."""

    def __init__(self, vectors: Tensor, place: Tensor, weights: Tensor, space: str, reach: Reach) -> None:
        """`vectors` [N, D], `place` i64 [3, N] (tick, row, column; no two alike), `weights` f32 [N] >= 0 that are not
        all 0. ValueError for a group whose distances would not fit into memory.
        """
        (tick, row, column), n = place.cpu(), place.shape[1]
        ticks, slot = tick.unique(return_inverse=True)
        rows, columns = (int(at.max() - at.min()) + 1 for at in (row, column))
        cell = (row - row.min()) * columns + (column - column.min())
        self.near = _near(rows, columns, reach.radius)  # i64 [P, J]; P: outside of the picture
        size = len(ticks), rows * columns, self.near.shape[1]
        if (count := size[0] ** 2 * size[1] * size[2]) > MOST:
            raise ValueError(
                f"a group of {n} tokens over {size[0]} ticks has {count} distances, at most {MOST} fit: make groups "
                "smaller (splitter.ticks_per_group), or choose scorer.radius=0"
            )
        self.slot, self.cell = slot.numpy(), cell.numpy()  # i64 [N]
        ready = prepare(vectors, space)
        grid = ready.new_zeros(size[1] + 1, size[0], ready.shape[1])  # [P + 1, T, D]
        grid[cell, slot] = ready
        weight = torch.zeros(size[1] + 1, size[0])
        weight[cell, slot] = weights.float().cpu()
        nothing = torch.zeros_like(weight)
        mean = prepare(vectors.float().mean(0, keepdim=True), space)
        nothing[cell, slot] = between(ready, mean, space)[:, 0].cpu()
        self._cost = _costs(grid, weight, torch.from_numpy(self.near), space, reach)  # f32 [P, T, J, T]
        self._left = (weight * nothing).numpy()  # f32 [P + 1, T]
        self._total = float(weight.sum(dtype=torch.float64))
        self._by_cell = self._left.sum(1, dtype=np.float64)

    def __len__(self) -> int:
        return len(self.slot)

    @property
    def error(self) -> float:
        """Returns what is unexplained now, as a weighted mean distance."""
        return float(self._by_cell.sum()) / self._total

    def gain(self, token: int) -> float:
        """Returns by how much `error` would fall if `token` (0..N - 1) were taken."""
        cell = self.cell[token]
        saved = np.maximum(self._left[self.near[cell]] - self._cost[cell, self.slot[token]], 0.0)
        return float(saved.sum(dtype=np.float64)) / self._total

    def take(self, token: int) -> None:
        """Keeps `token` and updates what is left unexplained."""
        cell = self.cell[token]
        near = self.near[cell]
        self._left[near] = np.minimum(self._left[near], self._cost[cell, self.slot[token]])
        self._by_cell[near] = self._left[near].sum(1, dtype=np.float64)


def _near(rows: int, columns: int, radius: int) -> np.ndarray:
    """i64 [rows * columns, (2 radius + 1)^2]: the cells around each cell; rows * columns where there is none."""
    row, column = (at.reshape(-1, 1) for at in np.mgrid[:rows, :columns])
    step = np.arange(-radius, radius + 1)
    down, right = row + step.repeat(len(step)), column + np.tile(step, len(step))
    inside = (down >= 0) & (down < rows) & (right >= 0) & (right < columns)
    return np.where(inside, down * columns + right, rows * columns)


def _costs(grid: Tensor, weight: Tensor, near: Tensor, space: str, reach: Reach) -> np.ndarray:
    """f32 [P, T, J, T]: weighted distance from a token (cell, tick) to those (neighbour, tick) that it may stand for;
    inf to others.
    """
    ticks, middle = grid.shape[1], near.shape[1] // 2
    barred = ~reach.between_ticks(ticks)
    costs = torch.empty(len(near), ticks, near.shape[1], ticks)
    for j, cells in enumerate(near.T):
        for part in torch.arange(len(near)).split(64):  # the copies of the vectors are what takes memory
            costs[part, :, j] = between(grid[part], grid[cells[part]], space).cpu() * weight[cells[part], None]
    costs[:, range(ticks), middle, range(ticks)] = 0.0  # a token stands for itself without error
    return costs.masked_fill_(barred[None, :, None], math.inf).numpy()
