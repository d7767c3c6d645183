"""What may be concluded from right and wrong answers: intervals and tests that respect that questions share videos.

Pure functions of arrays; scipy does the mathematics. Knows no benchmark and no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_interval(
    values: Sequence[float], clusters: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Mean of `values` with its percentile bootstrap interval; whole clusters (videos) are drawn with replacement.

    Questions about one video are not independent, so the video is the unit that is drawn; the mean stays one over
    questions.
    """
    sums, counts = _per_cluster(np.asarray(values, float), clusters)
    estimate = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Interval(estimate, float("nan"), float("nan"))

    def mean(place: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        return sums[place].sum(axis) / counts[place].sum(axis)

    result = stats.bootstrap(
        (np.arange(len(sums)),),
        mean,
        n_resamples=resamples,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        batch=max(1, 4_000_000 // len(sums)),
        rng=np.random.default_rng(seed),
    )
    return Interval(estimate, float(result.confidence_interval.low), float(result.confidence_interval.high))


def difference_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    clusters: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Mean of `ours - theirs` on the same questions, in the same order, with its video-clustered bootstrap interval."""
    if len(ours) != len(theirs):
        raise ValueError(
            f"a paired difference needs the same questions on both sides, got {len(ours)} and {len(theirs)}"
        )
    return mean_interval(np.subtract(ours, theirs).tolist(), clusters, resamples, seed)


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Exact two-sided p-value that both are right equally often: a binomial test on those that only one got right."""
    if len(ours) != len(theirs):
        raise ValueError(f"McNemar's test needs the same questions on both sides, got {len(ours)} and {len(theirs)}")
    only_ours = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    only_theirs = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    disagreements = only_ours + only_theirs
    return float(stats.binomtest(only_ours, disagreements).pvalue) if disagreements else 1.0


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive value is above a negative one, ties counting half (Mann-Whitney U / nm)."""
    if not len(positive) or not len(negative):
        return float("nan")
    u = stats.mannwhitneyu(positive, negative, alternative="two-sided", method="asymptotic").statistic
    return float(u) / (len(positive) * len(negative))


def _per_cluster(
    values: NDArray[np.float64], clusters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and count of the values of each cluster."""
    if len(values) != len(clusters) or not len(values):
        raise ValueError(f"one cluster name per value and at least one value, got {len(values)} and {len(clusters)}")
    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(place, values).astype(np.float64), np.bincount(place).astype(np.float64)
