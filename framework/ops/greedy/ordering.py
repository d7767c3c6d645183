"""A greedy order of the tokens of a group, best first, so that every prefix is what a smaller budget would keep.

Lazy greedy (Minoux 1978): a gain computed earlier is an upper bound, so that only tokens at the top are computed again.
Without rules the order is that of plain greedy, gains never grow, and a prefix of k explains at least (1 - 1/e) of what
the best k tokens would. With rules only this stays: prefixes are nested and the error never grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framework.ops.greedy.facility import Facility

SLACK = 1e-9  # products such as 0.1 * 30 are meant exactly


@dataclass(frozen=True)
class Rules:
    """Says what a prefix must hold besides the tokens that explain most."""

    floor: int = 0  # tokens per tick that come before all others
    tick_share: float | None = None  # largest share of a prefix that one tick may have (one token always)
    seed_share: float = 0.0  # of k tokens, ceil(share * k) are taken from the seeds
    enough: float | None = None  # stop where error / error of nothing reaches this; None: order all

    def __post_init__(self) -> None:
        if self.floor < 0:
            raise ValueError(f"scorer.floor must be >= 0 tokens per tick, got {self.floor}")
        if self.tick_share is not None and not 0 < self.tick_share <= 1:
            raise ValueError(f"scorer.tick_share must be null or within (0, 1], got {self.tick_share}")
        if not 0 <= self.seed_share <= 1:
            raise ValueError(f"scorer.alpha must be a share within 0..1, got {self.seed_share}")
        if self.enough is not None and not 0 <= self.enough < 1:
            raise ValueError(f"scorer.enough must be null or an error within [0, 1), got {self.enough}")


@dataclass(frozen=True)
class Order:
    """Holds tokens in the order in which they were taken."""

    tokens: np.ndarray  # i64 [K], K = N unless it was enough before
    gains: np.ndarray  # f64 [K]: by how much each lowered the error when it was taken
    errors: np.ndarray  # f64 [K + 1]: mean distance with the first 0, 1, .. K tokens kept

    @property
    def relative(self) -> np.ndarray:
        """Returns the errors as a share of the error when nothing is kept, f64 [K + 1]; 0 where that error is 0."""
        return self.errors / self.errors[0] if self.errors[0] > 0 else np.zeros_like(self.errors)


def greedy(facility: Facility, rules: Rules, seeds: np.ndarray | None = None) -> Order:
    """Takes tokens from `facility` until all are taken, or enough. Ties go to the lower token.

    `seeds` i64 [N] are the tokens in another order, best first. They are needed for a seed share above 0.
    """
    n, state = len(facility), _State(facility, rules)
    taken: list[int] = []
    errors, gains = [facility.error], []
    while len(taken) < n:
        if rules.enough is not None and taken and state.floored and errors[-1] <= rules.enough * errors[0]:
            break
        open_ = state.open(len(taken) + 1)
        if state.seeded < rules.seed_share * (len(taken) + 1) - SLACK:
            assert seeds is not None
            token = state.seed(seeds, open_)
        else:
            token = state.best(open_)
        taken.append(token)
        gains.append(facility.gain(token))
        state.take(token)
        errors.append(facility.error)
    return Order(np.asarray(taken, dtype=np.int64), np.asarray(gains), np.asarray(errors))


class _State:
    """What is free, what it would bring at most, and how much each tick has."""

    def __init__(self, facility: Facility, rules: Rules) -> None:
        self.facility, self.rules = facility, rules
        n = len(facility)
        self.free = np.ones(n, dtype=bool)
        self.bound = np.asarray([facility.gain(token) for token in range(n)])  # -1: taken
        self.seeded = 0
        self._known = np.zeros(n, dtype=np.int64)  # how many were taken when a bound was computed
        self._taken = 0
        self._changed = np.zeros(len(facility.near), dtype=np.int64)  # per cell: the last one that could change a gain
        self._had = np.zeros(int(facility.slot.max()) + 1 if n else 0, dtype=np.int64)  # per tick
        self._holds = np.bincount(facility.slot, minlength=len(self._had))

    @property
    def floored(self) -> bool:
        """Whether every tick has its floor, or all it holds."""
        return bool((self._had >= np.minimum(self.rules.floor, self._holds)).all())

    def open(self, count: int) -> np.ndarray | None:
        """Bool [N]: tokens that the rules allow as number `count`; None: all that are free."""
        if not self.floored:
            ticks = self._had < self.rules.floor
        elif self.rules.tick_share is not None:
            ticks = self._had < max(1, int(self.rules.tick_share * count + SLACK))
        else:
            return None
        allowed = self.free & ticks[self.facility.slot]
        return allowed if allowed.any() else None  # e.g. a group of one tick, which has to have more than its share

    def seed(self, seeds: np.ndarray, open_: np.ndarray | None) -> int:
        """The first seed that is open."""
        self.seeded += 1
        allowed = self.free if open_ is None else open_
        return int(seeds[allowed[seeds].argmax()])

    def best(self, open_: np.ndarray | None) -> int:
        """The open token with the largest gain."""
        bound = self.bound if open_ is None else np.where(open_, self.bound, -1.0)
        while True:
            token = int(bound.argmax())
            if self._known[token] >= self._changed[self.facility.cell[token]]:
                return token
            self.bound[token] = bound[token] = self.facility.gain(token)
            self._known[token] = self._taken

    def take(self, token: int) -> None:
        """Keep a token: gains within twice the radius may have fallen."""
        facility = self.facility
        facility.take(token)
        self._taken += 1
        near = facility.near[facility.cell[token]]
        further = facility.near[near[near < len(facility.near)]].ravel()
        self._changed[further[further < len(facility.near)]] = self._taken
        self.free[token], self.bound[token] = False, -1.0
        self._had[facility.slot[token]] += 1
