"""What may be concluded from right and wrong answers: intervals and tests that respect that questions share videos.

Pure functions of arrays; scipy does the mathematics.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 10_000
CONFIDENCE = 0.95
DEFINED = 0.95  # the share of resamples on which a statistic must be defined for an interval to be given
NUMBERS_AT_ONCE = 4_000_000  # numbers held at once while resampling

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Holds an estimate with the bounds of its confidence interval, and its standard error where that is known."""

    value: float
    low: float
    high: float
    error: float = math.nan
    bound: bool = False  # no two clusters differed: an exact bound instead of a bootstrap interval of width zero

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def cluster_interval(statistic: Callable[[Floats], Floats], clusters: int, resamples: int, seed: int) -> Interval:
    """Computes the expanded percentile bootstrap interval of a statistic.

    Whole clusters (videos) are drawn with replacement. `statistic` is given how often each cluster was drawn,
    [resamples, clusters]. It returns one value per resample, NaN where it is not defined. The bounds are the quantiles
    `tail(clusters)` and 1 - `tail(clusters)` of these values. Without two clusters, or where too few resamples define
    it, there is no interval.
    """
    value = float(statistic(np.ones((1, clusters)))[0])
    if clusters < 2 or math.isnan(value):
        return Interval(value, math.nan, math.nan)

    def of_drawn(place: NDArray[np.int64], axis: int = -1) -> Floats:
        rows = place.reshape(-1, clusters)
        cells = rows + clusters * np.arange(len(rows))[:, None]
        counts = np.bincount(cells.ravel(), minlength=rows.size).reshape(rows.shape)
        return statistic(counts.astype(np.float64)).reshape(place.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # a few undefined resamples are left out below
        draws = stats.bootstrap(
            (np.arange(clusters),),
            of_drawn,
            n_resamples=resamples,
            method="percentile",
            vectorized=True,
            batch=max(1, NUMBERS_AT_ONCE // clusters),
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    if np.isfinite(draws).mean() < DEFINED:
        return Interval(value, math.nan, math.nan)
    low, high = np.nanquantile(draws, [tail(clusters), 1 - tail(clusters)])
    return Interval(value, float(low), float(high), float(np.nanstd(draws, ddof=1)))


def tail(clusters: int) -> float:
    """Returns the share of resamples that lie beyond each bound of a 95 % interval.

    It is Phi(-sqrt(G / (G - 1)) t.975(G - 1)) with G clusters (Hesterberg 2015, "expanded percentile"): .025 for many,
    .009 for 10. Plain percentiles are too narrow by the factor that a variance over G instead of G - 1 is, and by
    normal instead of t tails.
    """
    t = stats.t.ppf((1 + CONFIDENCE) / 2, clusters - 1)
    return float(stats.norm.cdf(-math.sqrt(clusters / (clusters - 1)) * t))


def unseen_share(clusters: int) -> float:
    """Returns the largest share of clusters that may be of a kind that none of the seen ones was.

    It is the exact one-sided 95 % bound (Clopper and Pearson 1934), near 3 / clusters (the rule of three).
    """
    found = stats.binomtest(0, clusters, alternative="less").proportion_ci(CONFIDENCE, method="exact")
    return float(found.high)


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    span: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """Computes the mean of `values` with its bootstrap interval (expanded percentiles).

    Questions about one video are not independent. So whole clusters (videos) are drawn, with replacement, while the
    mean stays one over questions. Where all videos have the same mean, the bootstrap would claim certainty. The bounds
    are then the furthest means that the share `unseen_share` of videos could bring about, with values anywhere within
    `span`. Raises ValueError where there is no value, or not one cluster per value.
    """
    sums, counts = _per_cluster(np.asarray(values, float), clusters)
    mean = float(sums.sum() / counts.sum())
    if len(sums) > 1 and np.allclose(sums, mean * counts, rtol=0, atol=1e-9):
        share = unseen_share(len(sums))
        return Interval(mean, mean - share * (mean - span[0]), mean + share * (span[1] - mean), 0.0, bound=True)
    return cluster_interval(lambda drawn: (drawn @ sums) / (drawn @ counts), len(sums), resamples, seed)


def difference_interval(
    ours: Sequence[float],
    theirs: Sequence[float],
    clusters: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Computes the mean of `ours - theirs` with its video-clustered bootstrap interval.

    Both are about the same questions, in the same order. Raises ValueError where they differ in length.
    """
    if len(ours) != len(theirs):
        raise ValueError(
            f"a paired difference needs the same questions on both sides, got {len(ours)} and {len(theirs)}"
        )
    differences = np.asarray(ours, float) - np.asarray(theirs, float)
    return mean_interval(differences.tolist(), clusters, resamples, seed, span=(-1.0, 1.0))


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Returns the exact two-sided p-value that both are right equally often.

    It is a binomial test on the questions that only one got right. Raises ValueError where the two differ in length.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"McNemar's test needs the same questions on both sides, got {len(ours)} and {len(theirs)}")
    only_ours = sum(a and not b for a, b in zip(ours, theirs, strict=True))
    only_theirs = sum(b and not a for a, b in zip(ours, theirs, strict=True))
    disagreements = only_ours + only_theirs
    return float(stats.binomtest(only_ours, disagreements).pvalue) if disagreements else 1.0


def sign_flip(
    differences: Sequence[float], clusters: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """Returns the two-sided p-value that paired differences are as often positive as negative.

    All differences of a cluster (video) change sign together. It is exact where there are few clusters, else over
    random sign flips.
    """
    sums, _ = _per_cluster(np.asarray(differences, float), clusters)
    sums = sums[np.abs(sums) > 1e-12]
    if len(sums) < 2:
        return 1.0
    return float(
        stats.permutation_test(
            (sums,),
            lambda flipped, axis=-1: flipped.sum(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, NUMBERS_AT_ONCE // len(sums)),
            alternative="two-sided",
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for being read together (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1. Corrected values never fall, and they are at most 1.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def spearman(values: Sequence[float], correct: Sequence[float]) -> float:
    """Computes Spearman's rank correlation; NaN where one side is constant."""
    if len(set(values)) < 2 or len(set(correct)) < 2:
        return math.nan
    return float(stats.spearmanr(values, correct).statistic)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Returns the chance that a positive value is above a negative one, ties counting half (Mann-Whitney U / nm).

    It is NaN where one side is empty.
    """
    if not len(positive) or not len(negative):
        return float("nan")
    u = stats.mannwhitneyu(positive, negative, alternative="two-sided", method="asymptotic").statistic
    return float(u) / (len(positive) * len(negative))


def _per_cluster(values: Floats, clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and count of the values of each cluster."""
    if len(values) != len(clusters) or not len(values):
        raise ValueError(f"one cluster name per value and at least one value, got {len(values)} and {len(clusters)}")
    place = cluster_places(clusters)
    return np.bincount(place, values).astype(np.float64), np.bincount(place).astype(np.float64)


def cluster_places(clusters: Sequence[str]) -> NDArray[np.int64]:
    """Returns which cluster each value belongs to, as a number from 0."""
    return np.unique(np.asarray(clusters), return_inverse=True)[1]
