"""Removes near-duplicates, nearby ones first, until the budget is met: AdaptToken's location-aware removal.

Of the pair of kept tokens that is currently most similar the one worth less goes (score x group weight; ties: the
later place), one at a time. Similarity is the cosine of the embeddings, fp32, joined with how close the two tokens
are, by one of the kernels of `framework.ops.closeness`.

All groups are looked at together: neighbouring ticks of a video lie in different interleaved groups. Memory is O(C): a
token keeps a short list of its most similar neighbours and looks again only when all of these are gone. Tokens that
nothing is related to go last, by worth. Source: arXiv 2603.28696 (down from 1.1 x budget, feature similarity and
temporal proximity; the kernels are readings of that).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection
from framework.ops.apportion import worth
from framework.ops.closeness import KERNELS, Closeness
from framework.ops.removal import exponential, first_reach, remove_closest
from framework.ops.similarity import LivingNeighbours, unit_rows

FAR = 5.0  # sigmas: exp(-5) < 0.7 %, where the band of very many candidates ends


@dataclass(frozen=True)
class LocationAware(TokenRefiner):
    """Removes near-duplicates, nearby ones first, until exactly min(budget, C) candidates are left."""

    overshoot: float
    kernel: str
    proximity_weight: float
    sigma_seconds: float | None
    sigma_cells: float
    same_place: bool
    window_seconds: float | None
    dense_limit: int
    iterative: bool
    operation: str
    overshoot_of: str

    def __post_init__(self) -> None:
        if self.overshoot < 1:
            raise ValueError(f"refiner.overshoot must be >= 1, got {self.overshoot}")
        choices = {"kernel": KERNELS, "operation": ("drop", "merge")}
        for key, allowed in {**choices, "overshoot_of": ("quota", "budget")}.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"refiner.{key} must be one of {', '.join(allowed)}, got {getattr(self, key)!r}")
        for key in ("sigma_seconds", "sigma_cells", "window_seconds"):
            if getattr(self, key) is not None and not getattr(self, key) > 0:
                raise ValueError(f"refiner.{key} must be > 0, got {getattr(self, key)}")

    @property
    def remakes(self) -> bool:
        """Says whether similar tokens are merged into a mean."""
        return self.operation == "merge"

    def wider(self, budget: int) -> int | None:
        """Returns ceil(overshoot x budget) for `overshoot_of: budget`; None for `quota`."""
        return math.ceil(round(self.overshoot * budget, 9)) if self.overshoot_of == "budget" else None

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection [K], K = min(budget, C)."""
        tokens = candidates.tokens
        places = (tokens.column, tokens.row, tokens.tick)
        order = np.lexsort([key.cpu().numpy() for key in places])  # ties go by place, not by order of arrival
        count = len(order) - budget
        if count <= 0:
            return Selection.of(candidates, torch.from_numpy(order), budget)
        rank = np.empty(len(order), dtype=np.int64)  # 0 = worth most
        rank[np.lexsort((np.arange(len(order)), -worth(candidates).cpu().numpy()[order]))] = np.arange(len(order))
        near = self._closeness(candidates, order, rank)
        sigma, span = near.sigma_seconds, float(near.seconds[-1] - near.seconds[0])
        widest = self.window_seconds or (FAR * sigma if len(order) > self.dense_limit else span)
        if self.iterative:
            reach = widest if self.kernel == "add" else first_reach(near.links(), count, sigma)  # a sum has no bound
            alive, partner = remove_closest(rank, count, near.blocks, reach, widest, exponential(sigma))
        else:
            nearest = LivingNeighbours(len(order), lambda rows: near.blocks(rows, widest))
            alive, partner = np.ones(len(order), dtype=bool), nearest.partner
            alive[np.lexsort((-rank, -nearest.similarity))[:count]] = False
        kept = np.flatnonzero(alive)
        at = torch.from_numpy(order[kept])
        left = tokens[at]
        if self.operation == "merge":
            victims = np.flatnonzero(~alive)[np.argsort(-rank[~alive])]
            left = replace(left, embeddings=_merged(tokens.embeddings[torch.from_numpy(order)], victims, partner)[kept])
        return Selection(left, candidates.group[at], budget, candidates.clock)

    def _closeness(self, candidates: Candidates, order: np.ndarray, rank: np.ndarray) -> Closeness:
        """The candidates in the order of their places, and how they are compared."""
        at, tokens = torch.from_numpy(order), candidates.tokens
        return Closeness(
            unit=unit_rows(tokens.embeddings, at),
            seconds=tokens.seconds[at],
            row=tokens.row[at],
            column=tokens.column[at],
            kernel=self.kernel,
            proximity_weight=self.proximity_weight,
            sigma_seconds=self.sigma_seconds or max(candidates.stride_seconds, 1e-6),
            sigma_cells=self.sigma_cells,
            same_place=self.same_place,
            rank=None if self.iterative else torch.from_numpy(rank).to(tokens.tick.device),
        )


def _merged(embeddings: Tensor, victims: np.ndarray, partner: np.ndarray) -> Tensor:
    """Adds each victim's embedding [n, D] to its worthier partner's, least worthy first; what results are means."""
    sums, counts = embeddings.float().clone(), torch.ones(len(embeddings), 1, device=embeddings.device)
    for victim in victims.tolist():
        if (into := int(partner[victim])) >= 0:
            sums[into] += sums[victim]
            counts[into] += counts[victim]
    return (sums / counts).to(embeddings.dtype)
