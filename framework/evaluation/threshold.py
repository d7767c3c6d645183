"""How faint evidence may be before a method misses it: its threshold, the opacity at which it is right half-way between
chance and 1.

Several methods are compared by the ratio of their thresholds, with the same videos drawn for all. Pure functions of
arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from framework.evaluation.psychometric import Curve, fit
from framework.evaluation.statistics import tail

RESAMPLES = 2_000
ROUNDING = 1e-9  # a threshold this near to an end of the scale, relatively, is on it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """Holds of one method how many questions were right and how many were asked, each f64 [videos, opacities]."""

    right: Floats
    asked: Floats


@dataclass(frozen=True)
class Found:
    """Holds an estimate, which may lie beyond the scale, with the bounds of its 95 % interval.

    The estimate is somewhere within `least`..`most`: one number where it is on the scale, from 0 or up to infinity
    where it is not. A bound of 0 or of infinity is open. Bounds are NaN where there is no interval.
    """

    least: float
    most: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Threshold:
    """Holds the threshold of one method, an opacity, and how many times that of the reference it is."""

    value: Found
    curve: Curve
    ratio: Found | None = None  # None: this is the reference


def thresholds(
    tallies: Mapping[str, Tally],
    opacities: Sequence[float],
    chance: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Threshold]:
    """Fits the curve of every method by maximum likelihood; ratios are to the first method.

    Whole videos are drawn, the same ones for all methods, and bounds are expanded percentiles (`statistics.tail`).
    Intervals need two videos that differ. Raises ValueError where tallies are not of the same videos and opacities, or
    opacities do not ascend within 0..1.
    """
    scale = np.asarray(opacities, float)
    shapes = {array.shape for tally in tallies.values() for array in (tally.right, tally.asked)}
    if len(shapes) != 1 or next(iter(shapes))[1:] != scale.shape:
        raise ValueError(f"one count per video and opacity is needed, the same for all methods, got {sorted(shapes)}")
    if not len(scale) or not (np.diff(scale) > 0).all() or not 0 < scale[0] <= scale[-1] <= 1:
        raise ValueError(f"opacities must ascend within 0..1, got {list(opacities)}")
    ((videos, _),) = shapes
    drawn = np.random.default_rng(seed).multinomial(videos, np.full(videos, 1 / videos), resamples).astype(float)
    fits = {name: fit(scale, chance, *_counts(tally, drawn)) for name, tally in tallies.items()}
    ends = {name: _ends(curves.half_way, scale) for name, curves in fits.items()}
    differ = {name: _differ(tally) for name, tally in tallies.items()}
    first = next(iter(tallies))
    return {
        name: Threshold(
            value=_found(*ends[name], videos, differ[name]),
            curve=fits[name][0],
            ratio=None
            if name == first
            else _found(*_ratio(ends[name], ends[first]), videos, differ[name] or differ[first]),
        )
        for name in tallies
    }


def _counts(tally: Tally, drawn: Floats) -> tuple[Floats, Floats]:
    """Right and wrong at each opacity, [1 + resamples, opacities]: of all videos once, then of those drawn."""
    weights = np.concatenate([np.ones((1, drawn.shape[1])), drawn])
    right = weights @ tally.right
    return right, weights @ tally.asked - right


def _differ(tally: Tally) -> bool:
    """Whether some two videos have other answers: else every resample is the sample, and says nothing of others."""
    return any(bool((array != array[:1]).any()) for array in (tally.right, tally.asked))


def _ends(x: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """The least and the most that each threshold x may be: beyond the scale nothing is extrapolated."""
    below, above = x < scale[0] * (1 - ROUNDING), x > scale[-1] * (1 + ROUNDING)
    return (
        np.where(below, 0.0, np.where(above, scale[-1], x)),
        np.where(below, scale[0], np.where(above, np.inf, x)),
    )


def _ratio(ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """The least and the most that the ratio may be in each resample."""
    with np.errstate(divide="ignore"):  # beyond the scale: x / 0 is infinite, x / inf is 0, and 0 / 0 does not occur
        return ours[0] / theirs[1], ours[1] / theirs[0]


def _found(least: Floats, most: Floats, videos: int, differ: bool) -> Found:
    """The sample (place 0) with the bounds that its resamples give."""
    if videos < 2 or not differ:
        return Found(float(least[0]), float(most[0]))
    share = tail(videos)
    low = np.quantile(least[1:], share, method="inverted_cdf")  # no interpolation: values may be infinite
    high = np.quantile(most[1:], 1 - share, method="inverted_cdf")
    return Found(float(least[0]), float(most[0]), float(low), float(high))
