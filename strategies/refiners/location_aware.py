"""Removes near-duplicates, nearby ones first, until the budget is met: AdaptToken's location-aware removal.

Of the pair of kept tokens that is currently most similar the one worth less goes (score x group weight; ties: the
later place), one at a time. Similarity is the cosine of the embeddings, fp32, joined with how close the two tokens
are:

    multiply         cos x exp(-|dt| / sigma)
    add              cos + proximity_weight x exp(-|dt| / sigma)
    spatio_temporal  cos x exp(-|dt| / sigma - distance^2 / (2 sigma_cells^2)),  distance in cells

All groups are looked at together: neighbouring ticks of a video lie in different interleaved groups. Memory is O(C): a
token keeps a short list of its most similar neighbours and looks again only when all of these are gone. Tokens that
nothing is related to go last, by worth. Source: arXiv 2603.28696 (down from 1.1 x budget, feature similarity and
temporal proximity; the kernels are readings of that).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection, Tokens
from framework.ops.apportion import worth
from framework.ops.removal import exponential, remove_closest
from framework.ops.similarity import LivingNeighbours, cosine_blocks

FAR = 5.0  # sigmas: exp(-5) < 0.7 %, where the band of very many candidates ends
NEAR = 0.5  # sigmas: where the band begins; changes the speed alone


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
        choices = {"kernel": ("multiply", "add", "spatio_temporal"), "operation": ("drop", "merge")}
        for key, allowed in {**choices, "overshoot_of": ("quota", "budget")}.items():
            if getattr(self, key) not in allowed:
                raise ValueError(f"refiner.{key} must be one of {', '.join(allowed)}, got {getattr(self, key)!r}")
        for key in ("sigma_seconds", "sigma_cells", "window_seconds"):
            if getattr(self, key) is not None and not getattr(self, key) > 0:
                raise ValueError(f"refiner.{key} must be > 0, got {getattr(self, key)}")

    def wider(self, budget: int) -> int | None:
        """Returns ceil(overshoot x budget) for `overshoot_of: budget`; None for `quota`."""
        return math.ceil(round(self.overshoot * budget, 9)) if self.overshoot_of == "budget" else None

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection [K], K = min(budget, C)."""
        places = (candidates.tokens.column, candidates.tokens.row, candidates.tokens.tick)
        order = np.lexsort([key.cpu().numpy() for key in places])  # ties go by place, not by order of arrival
        if len(order) <= budget:
            return Selection.of(candidates, torch.from_numpy(order), budget)
        tokens = candidates.tokens[torch.from_numpy(order)]
        rank = np.empty(len(order), dtype=np.int64)  # 0 = worth most
        rank[np.lexsort((np.arange(len(order)), -worth(candidates).cpu().numpy()[order]))] = np.arange(len(order))
        sigma = self.sigma_seconds or max(candidates.stride_seconds, 1e-6)
        unit = normalize(tokens.embeddings.float(), dim=-1)
        look = partial(self._similarities, tokens, unit, torch.from_numpy(rank).to(unit.device), sigma)
        span = float(tokens.seconds[-1] - tokens.seconds[0])
        widest = self.window_seconds or (FAR * sigma if len(order) > self.dense_limit else span)
        if self.iterative:
            first = widest if self.kernel == "add" else NEAR * sigma  # a sum has no such bound
            alive, partner = remove_closest(rank, len(order) - budget, look, first, widest, exponential(sigma))
        else:
            near = LivingNeighbours(len(order), lambda rows: look(rows, widest))
            alive, partner = np.ones(len(order), dtype=bool), near.partner
            alive[np.lexsort((-rank, -near.similarity))[: len(order) - budget]] = False
        if self.operation == "merge":
            tokens = _merged(tokens, np.flatnonzero(~alive)[np.argsort(-rank[~alive])], partner)
        kept = np.flatnonzero(alive)
        group = candidates.group[torch.from_numpy(order[kept])]
        return Selection(tokens[torch.from_numpy(kept)], group, budget, candidates.clock)

    def _similarities(
        self, tokens: Tokens, unit: Tensor, rank: Tensor, sigma: float, rows: Tensor, reach: float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Blocks of `rows` [r], columns [c] and their similarities f32 [r, c], -inf where unrelated."""
        for part, columns, cosine, gap in cosine_blocks(unit, tokens.seconds, rows.to(rank.device), reach):
            rise = tokens.row[part, None] - tokens.row[columns]
            run = tokens.column[part, None] - tokens.column[columns]
            cosine = cosine.round(decimals=5)  # what is beyond is float noise, and would decide between duplicates
            proximity = (-gap / sigma).exp().float()
            if self.kernel == "spatio_temporal":
                proximity *= (-(rise**2 + run**2) / (2 * self.sigma_cells**2)).exp()
            similarity = cosine + self.proximity_weight * proximity if self.kernel == "add" else cosine * proximity
            related = (gap <= reach) & (part[:, None] != columns)
            if self.same_place:
                related &= (rise == 0) & (run == 0)
            if not self.iterative:  # each is judged against the worthier ones
                related &= rank[columns] < rank[part, None]
            yield part, columns, similarity.masked_fill(~related, -math.inf)


def _merged(tokens: Tokens, victims: np.ndarray, partner: np.ndarray) -> Tokens:
    """Adds each victim's embedding to its worthier partner's, least worthy first; embeddings become means."""
    sums, counts = tokens.embeddings.float().clone(), torch.ones(len(tokens), 1, device=tokens.tick.device)
    for victim in victims.tolist():
        if (into := int(partner[victim])) >= 0:
            sums[into] += sums[victim]
            counts[into] += counts[victim]
    return replace(tokens, embeddings=(sums / counts).to(tokens.embeddings.dtype))
