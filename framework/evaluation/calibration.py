"""Whether answers are right as often as their probability says: pure functions of arrays.

Confidence is the probability of the likeliest option. Source of the figures: Guo et al. 2017 (arXiv 1706.04599) for
equal-width bins and the expected calibration error; Brier 1950 for the score, here of the given answer alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.evaluation.statistics import CONFIDENCE, Floats, Interval, mean_interval

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
    error: float  # expected calibration error, 0 = calibrated; small samples push it up
    consistent: float  # what a calibrated answerer does not exceed, 95 times in 100
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

    Confidence and score of each answer lie in 0..1. The interval of the Brier score comes from drawing clusters
    (videos) with replacement. Where all scores are equal there is none: what was never seen cannot be drawn. The
    calibration error has no interval, for sampling pushes it up and resampling does so once more. Raises ValueError
    where there is no answer, or a confidence outside 0..1.
    """
    sure, right = np.asarray(confidence, float), np.asarray(correct, float)
    if not len(sure) or not (sure.min() >= 0 and sure.max() <= 1 + 1e-6):
        raise ValueError("calibration needs confidences within 0..1, and at least one")
    which = _bins(sure)
    brier = mean_interval(((sure - right) ** 2).tolist(), clusters, resamples, seed)
    if right.min() == right.max():
        brier = Interval(brier.value, math.nan, math.nan)
    return Calibration(
        n=len(sure),
        confidence=float(sure.mean()),
        accuracy=float(right.mean()),
        error=float(np.abs(np.bincount(which, sure - right)).sum() / len(sure)),
        consistent=consistent(confidence, resamples, seed),
        brier=brier,
        bins=tuple(_bin(b, sure, right, which == b, clusters, resamples, seed) for b in np.unique(which).tolist()),
    )


def consistent(confidence: Sequence[float], resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Returns the calibration error that a calibrated answerer with this confidence does not exceed 95 times in 100.

    Each answer is drawn to be right with the probability that it claims (consistency resampling, Bröcker and Smith
    2007), independently of the others. Where the questions of a video go together the true bound is higher.
    """
    sure = np.asarray(confidence, float)
    which = _bins(sure)
    generator = np.random.default_rng(seed)
    gaps = (np.bincount(which, sure - (generator.random(len(sure)) < sure)) for _ in range(resamples))
    return float(np.quantile([np.abs(gap).sum() / len(sure) for gap in gaps], CONFIDENCE))


def _bins(sure: Floats) -> np.ndarray:
    return np.minimum((sure * BINS).astype(int), BINS - 1)


def _bin(
    number: int, sure: Floats, right: Floats, here: np.ndarray, clusters: Sequence[str], resamples: int, seed: int
) -> Bin:
    names = [name for name, inside in zip(clusters, here, strict=True) if inside]
    accuracy = mean_interval(right[here].tolist(), names, resamples, seed)
    return Bin(number / BINS, (number + 1) / BINS, int(here.sum()), float(sure[here].mean()), accuracy)
