"""Small groups of tokens, and their error by plain loops."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
import torch

from framework.ops.greedy.facility import Facility, Reach


class Small:
    """N tokens at random places of a small grid, with a reach, all from one seed."""

    def __init__(self, n: int, seed: int, space: str = "pixels") -> None:
        noise = torch.Generator().manual_seed(seed)
        grid = torch.cartesian_prod(torch.arange(4) * 3 + 2, torch.arange(2, 4), torch.arange(3))  # 24 places
        self.place = grid[torch.randperm(24, generator=noise)[:n].sort().values].T  # i64 [3, n]
        self.vectors = torch.randn(n, 5, generator=noise)
        self.weights = torch.rand(n, generator=noise) + 0.05
        draw = random.Random(seed)
        direction, clip = draw.choice(["bidirectional", "causal"]), draw.choice([None, 1, 2, 3, 9])
        self.space, self.reach = space, Reach(draw.randrange(3), direction, clip, draw.random() < 0.5)

    def facility(self) -> Facility:
        return Facility(self.vectors, self.place, self.weights, self.space, self.reach)

    def error(self, kept: Iterable[int]) -> float:
        """In double precision, token by token."""
        vectors, kept = self.vectors.double(), list(kept)
        ticks = sorted(set(self.place[0].tolist()))
        total = 0.0
        for u in range(len(vectors)):
            best = self._distance(vectors[u], vectors.mean(0))
            for v in kept:
                if self._stands(v, u, ticks):
                    best = min(best, 0.0 if u == v else self._distance(vectors[u], vectors[v]))
            total += float(self.weights[u]) * best
        return total / float(self.weights.double().sum())

    def _distance(self, x: torch.Tensor, y: torch.Tensor) -> float:
        if self.space == "features":
            return 1 - float(x @ y / (x.norm() * y.norm()))
        return float((x - y).abs().mean())

    def _stands(self, v: int, u: int, ticks: list[int]) -> bool:
        (tv, rv, cv), (tu, ru, cu) = self.place[:, v].tolist(), self.place[:, u].tolist()
        if max(abs(rv - ru), abs(cv - cu)) > self.reach.radius:
            return False
        length = self.reach.clip or len(ticks)
        one, other = ticks.index(tv) // length, ticks.index(tu) // length
        if one == other:
            return self.reach.direction == "bidirectional" or tv <= tu
        return self.reach.carry_over and one < other


@pytest.fixture(scope="session")
def small() -> type[Small]:
    return Small


@pytest.fixture(scope="session")
def one_cell() -> Callable[[torch.Tensor, Reach], Facility]:
    """One cell over the ticks of vectors [T, D]."""

    def made(vectors: torch.Tensor, reach: Reach) -> Facility:
        tick = torch.arange(len(vectors))
        return Facility(vectors, torch.stack([tick, 0 * tick, 0 * tick]), torch.ones(len(tick)), "pixels", reach)

    return made
