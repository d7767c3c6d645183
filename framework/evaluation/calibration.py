"""Whether answers are right as often as their probability says: pure functions of arrays.

Confidence is the probability of the likeliest option. Source of the figures: Guo et al. 2017 (arXiv 1706.04599) for
equal-width bins and the expected calibration error; Brier 1950 for the score, here of the given answer alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.evaluation.statistics import Floats, Interval, cluster_interval, cluster_places, mean_interval

BINS = 10
RESAMPLES = 1_000


@dataclass(frozen=True)
class Bin:
    """Describes the answers whose confidence lies between two edges."""

    low: float
    high: float
    n: int
    confidence: float  # mean
    accuracy: Interval


@dataclass(frozen=True)
class Calibration:
    """Says how well the confidence of answers matches their accuracy."""

    n: int
    confidence: float  # mean
    accuracy: float
    error: Interval  # expected calibration error, 0 = calibrated; small samples push it up
    brier: Interval  # mean squared distance of confidence and score, 0 = certain and right
    bins: tuple[Bin, ...]  # those with answers in them


def calibration(
    confidence: Sequence[float],
    correct: Sequence[float],
    clusters: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Calibration:
    """Computes reliability in ten bins of equal width, the expected calibration error and the Brier score.

    Confidence and score of each answer lie in 0..1. Intervals come from drawing clusters (videos) with replacement.
    Where all scores are equal there is no interval: what was never seen cannot be drawn. Raises ValueError where there
    is no answer, or a confidence outside 0..1.
    """
    sure, right, place = np.asarray(confidence, float), np.asarray(correct, float), cluster_places(clusters)
    if not len(sure) or not (sure.min() >= 0 and sure.max() <= 1 + 1e-6):
        raise ValueError("calibration needs confidences within 0..1, and at least one")
    which = np.minimum((sure * BINS).astype(int), BINS - 1)
    videos = int(place.max()) + 1
    gaps = np.zeros((videos, BINS))  # sums of confidence - score, per cluster and bin
    np.add.at(gaps, (place, which), sure - right)
    counts = np.bincount(place, minlength=videos).astype(float)

    def expected_error(drawn: Floats) -> Floats:
        return np.abs(drawn @ gaps).sum(-1) / (drawn @ counts)

    error = cluster_interval(expected_error, videos, resamples, seed)
    brier = mean_interval(((sure - right) ** 2).tolist(), clusters, resamples, seed)
    if right.min() == right.max():
        error, brier = (Interval(found.value, math.nan, math.nan) for found in (error, brier))
    return Calibration(
        n=len(sure),
        confidence=float(sure.mean()),
        accuracy=float(right.mean()),
        error=error,
        brier=brier,
        bins=tuple(_bin(b, sure, right, which == b, clusters, resamples, seed) for b in np.unique(which).tolist()),
    )


def _bin(
    number: int, sure: Floats, right: Floats, here: np.ndarray, clusters: Sequence[str], resamples: int, seed: int
) -> Bin:
    names = [name for name, inside in zip(clusters, here, strict=True) if inside]
    accuracy = mean_interval(right[here].tolist(), names, resamples, seed)
    return Bin(number / BINS, (number + 1) / BINS, int(here.sum()), float(sure[here].mean()), accuracy)
