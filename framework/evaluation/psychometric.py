"""The psychometric curve: how often answers are right over how easily evidence is seen, fitted by maximum likelihood.

p(x) = chance + (top - chance) * logistic(slope * (log x - location)). `top` is what is reached on plain evidence: below
1 where some of that is missed too. Pure functions of arrays; many samples are fitted at once.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from framework.evaluation.statistics import NUMBERS_AT_ONCE

BEYOND = 1.0  # log x below and above the scale at which a location may lie
STEP = 0.1  # of the location among the curves that are tried first, in log x
SLOPES = (0.7, 20.0)  # per unit of log x; 20 is a step from nothing to all within a quarter of x
TRIED = 8  # slopes and tops that are tried first
ROUNDS = 25  # of the search around the best of them; a round that finds nothing better halves its paces
SURE = 1e-9  # no probability is nearer to 0 or 1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Describes fitted curves: accuracy over x. The fields are numbers, or arrays f64 [curves]."""

    chance: float
    location: Any  # log x half-way up the curve's own rise
    slope: Any  # per unit of log x
    top: Any

    def __call__(self, x: Floats) -> Floats:
        """The share of right answers at each x."""
        found: Floats = self.chance + (self.top - self.chance) * special.expit(self.slope * (np.log(x) - self.location))
        return found

    def __getitem__(self, place: int) -> Curve:
        """The curve at `place`, with plain numbers."""
        return Curve(self.chance, *(float(values[place]) for values in (self.location, self.slope, self.top)))

    @property
    def half_way(self) -> Floats:
        """Returns the x at which a curve lies half-way between chance and 1; infinite where it never does."""
        half = (1 - self.chance) / 2
        share = half / np.maximum(self.top - self.chance, half)  # 1 where the top is lower than that
        found: Floats = np.exp(self.location + special.logit(share) / self.slope)
        return found


def fit(scale: Floats, chance: float, right: Floats, wrong: Floats) -> Curve:
    """Fits the likeliest curve to each row of counts, f64 [rows, places] at the places `scale` (ascending, above 0).

    First all curves of a grid are tried, so that no local maximum is taken. Then all rows are searched at once around
    their best, which scipy's optimisers would have to do one by one.
    """
    bounds = np.array(
        [(math.log(scale[0]) - BEYOND, math.log(scale[-1]) + BEYOND), tuple(np.log(SLOPES)), (chance, 1.0)]
    )
    counts = (math.ceil(np.ptp(bounds[0]) / STEP), TRIED, TRIED)
    axes = [np.linspace(low, high, count) for (low, high), count in zip(bounds, counts, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    paces = np.array([axis[1] - axis[0] for axis in axes]) / 2
    of_right, of_wrong = _logs(grid, scale, chance)
    size = max(1, NUMBERS_AT_ONCE // len(grid))
    found = []
    for start in range(0, len(right), size):
        r, w = right[start : start + size], wrong[start : start + size]
        best = grid[(r @ of_right.T + w @ of_wrong.T).argmax(1)]
        found.append(_climb(best, paces, bounds, scale, chance, r, w))
    return _curve(np.concatenate(found), chance)


def _curve(fits: Floats, chance: float) -> Curve:
    """The curves of fits [..., 3], which hold location, log slope and top."""
    return Curve(chance, fits[..., 0], np.exp(fits[..., 1]), fits[..., 2])


def _logs(fits: Floats, scale: Floats, chance: float) -> tuple[Floats, Floats]:
    """Log probability of a right and of a wrong answer, each [..., places], of fits [..., 3]."""
    p = np.clip(_curve(fits[..., None, :], chance)(scale), SURE, 1 - SURE)
    return np.log(p), np.log1p(-p)


def _climb(
    fits: Floats, paces: Floats, bounds: Floats, scale: Floats, chance: float, right: Floats, wrong: Floats
) -> Floats:
    """Better fits [rows, 3] near those given: a compass search over the 26 neighbours, within bounds [3, 2]."""
    moves = np.array(sorted(itertools.product((-1, 0, 1), repeat=3), key=np.count_nonzero))  # staying comes first
    pace = np.ones((len(fits), 1, 1))
    for _ in range(ROUNDS):
        tried = np.clip(fits[:, None] + pace * moves * paces, *bounds.T)
        of_right, of_wrong = _logs(tried, scale, chance)
        best = (of_right @ right[:, :, None] + of_wrong @ wrong[:, :, None])[..., 0].argmax(1)
        fits = tried[np.arange(len(fits)), best]
        pace = np.where(best[:, None, None] == 0, pace / 2, pace)
    return fits
