"""Similarity between many tokens in bounded memory: cosines by the block, and nearest neighbours as tokens go."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

Blocks = Iterator[tuple[Tensor, Tensor, Tensor]]  # rows [r], columns [c], similarities f32 [r, c], -inf: unrelated
LISTED = 16  # neighbours remembered per token; changes the speed alone
ROWS, ROWS_ON_A_DEVICE = 128, 2048  # of a block: small ones waste little of a narrow band, large ones wait seldom


def unit_rows(embeddings: Tensor, order: Tensor) -> Tensor:
    """Returns the rows at `order` (i64 [n]) of `embeddings` [N, D] with length 1, f32 [n, D]; zero stays zero."""
    unit = embeddings.new_empty(len(order), embeddings.shape[1], dtype=torch.float32)
    for some, into in zip(order.split(ROWS), unit.split(ROWS), strict=True):  # what is in the cache is divided there
        straight = bool((some.diff() == 1).all()) and len(some) > 0
        into.copy_(embeddings[int(some[0]) : int(some[-1]) + 1] if straight else embeddings[some])
        into /= torch.linalg.vector_norm(into, dim=-1, keepdim=True).clamp_min_(1e-12)
    return unit


def cosine_blocks(
    unit: Tensor, seconds: Tensor, rows: Tensor, reach: float = math.inf, size: int | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Compares the tokens `rows` with all tokens that lie at most `reach` seconds away.

    `unit` f32 [n, D] (rows of length 1) and `seconds` f64 [n] belong to tokens in temporal order; `rows` i64 [m]. Each
    block has at most `size` rows. It yields those rows [r], their columns [c] (a contiguous range), the cosines f32 [r,
    c] and the distances in seconds f64 [r, c], all where `unit` is. Where the range holds tokens out of reach, the
    distance says so. The work is m x c x D: only a reach makes it less than quadratic.
    """
    here, size = unit.device, size or (ROWS if unit.device.type == "cpu" else ROWS_ON_A_DEVICE)
    on_host, seconds, rows = seconds.cpu(), seconds.to(here), rows.cpu()  # so that no block waits for the device
    for part in rows.split(size) if len(rows) else ():
        times = on_host[part]
        low = int(torch.searchsorted(on_host, times.min() - reach))
        high = int(torch.searchsorted(on_host, times.max() + reach, right=True))
        straight = bool((part.diff() == 1).all())
        ours = slice(int(part[0]), int(part[-1]) + 1) if straight else part.to(here)
        cosine = unit[ours] @ unit[low:high].T
        yield (
            part.to(here),
            torch.arange(low, high, device=here),
            cosine,
            (seconds[ours, None] - seconds[low:high]).abs(),
        )


class LivingNeighbours:
    """Tracks which of n tokens are most similar to each other while tokens are removed. Memory is O(n).

    `blocks(rows)` compares the tokens `rows` i64 [m] with all others. `alive` bool [n] says which are there at first;
    None: all. Every token remembers its most similar neighbours and is compared again only when none of these is left.
    """

    def __init__(self, n: int, blocks: Callable[[Tensor], Blocks], alive: np.ndarray | None = None) -> None:
        self._blocks = blocks
        self.alive = np.ones(n, dtype=bool) if alive is None else alive
        living = np.flatnonzero(self.alive)
        self._values = np.full((n, LISTED), -np.inf, np.float32)  # best first
        self._indices = np.zeros((n, LISTED), np.int64)
        self._values[living], self._indices[living] = self._look(living)
        self.similarity = self._values[:, 0].copy()  # f32 [n], to the partner; -inf: no partner, or removed
        self.partner = np.where(self.similarity > -np.inf, self._indices[:, 0], -1)  # i64 [n]; -1: none

    def closest(self) -> np.ndarray:
        """Returns the members of the most similar living pairs; all living tokens when no two are related."""
        members = np.flatnonzero((self.similarity == self.similarity.max()) & self.alive)
        partners = self.partner[members]
        return np.append(members, partners[partners >= 0])

    def remove(self, token: int) -> None:
        """Removes a token and finds the next partner of every token whose partner it was."""
        self.alive[token], self.similarity[token] = False, -np.inf
        widows = np.flatnonzero((self.partner == token) & self.alive)
        living = self._living(widows)
        spent = widows[~living.any(1) & (self._values[widows, -1] > -np.inf)]  # a full list: there may be more
        if len(spent):
            self._values[spent], self._indices[spent] = self._look(spent)
            living = self._living(widows)
        first = living.argmax(1)
        self.similarity[widows] = np.where(living.any(1), self._values[widows, first], -np.inf)
        self.partner[widows] = np.where(living.any(1), self._indices[widows, first], -1)

    def _living(self, tokens: np.ndarray) -> np.ndarray:
        """Bool [m, LISTED]: which of their remembered neighbours are still there."""
        return self.alive[self._indices[tokens]] & (self._values[tokens] > -np.inf)

    def _look(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The most similar living neighbours of `tokens`: similarities f32 and indices i64, both [m, LISTED]."""
        values = np.full((len(tokens), LISTED), -np.inf, np.float32)
        indices = np.zeros((len(tokens), LISTED), np.int64)
        done, dead = 0, np.flatnonzero(~self.alive)
        for part, columns, similarity in self._blocks(torch.from_numpy(tokens)):
            if len(dead):
                gone = torch.isin(columns, torch.from_numpy(dead).to(columns.device))
                similarity = similarity.masked_fill(gone, -math.inf)
            best = similarity.topk(min(LISTED, len(columns)))
            at = slice(done, done + len(part)), slice(0, best.values.shape[1])
            values[at], indices[at] = best.values.cpu().numpy(), columns[best.indices].cpu().numpy()
            done += len(part)
        return values, indices
