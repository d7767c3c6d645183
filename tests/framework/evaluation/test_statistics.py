"""Intervals and tests against formulas that do not share their code."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.evaluation.statistics import auroc, difference_interval, mcnemar, mean_interval


def binomial_p(only_ours: int, only_theirs: int) -> float:
    """Two-sided: the probability of every split that is at most as likely as the one seen, each half the time."""
    n = only_ours + only_theirs
    likely = [comb(n, k) for k in range(n + 1)]
    return sum(c for c in likely if c <= likely[only_ours]) / 2**n


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5), st.integers(0, 5))
def test_mcnemar_is_the_binomial_sum(only_ours: int, only_theirs: int, both: int, neither: int) -> None:
    ours = [True] * only_ours + [False] * only_theirs + [True] * both + [False] * neither
    theirs = [False] * only_ours + [True] * only_theirs + [True] * both + [False] * neither
    assert mcnemar(ours, theirs) == pytest.approx(min(1.0, binomial_p(only_ours, only_theirs)))


def test_mcnemar_by_hand() -> None:
    # 8 questions only we get right, 1 only they: 2 * (C(9,0) + C(9,1)) / 2^9
    assert mcnemar([True] * 8 + [False], [False] * 8 + [True]) == pytest.approx(20 / 512)


def test_interval_of_a_proportion_is_near_the_normal_one() -> None:
    right = [True] * 140 + [False] * 60
    found = mean_interval(right, [str(i) for i in range(200)])
    half = 1.96 * (0.7 * 0.3 / 200) ** 0.5
    assert found.value == pytest.approx(0.7)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.008)


def test_questions_of_one_video_count_as_one() -> None:
    # 40 videos, five equal answers each: the interval of 40 values, not of 200
    right = np.repeat([1.0] * 24 + [0.0] * 16, 5).tolist()
    clusters = np.repeat([f"v{i}" for i in range(40)], 5).tolist()
    clustered = mean_interval(right, clusters)
    half = 1.96 * (0.6 * 0.4 / 40) ** 0.5
    assert (clustered.low, clustered.high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.02)


def test_unequal_videos_keep_the_mean_over_questions() -> None:
    assert mean_interval([1, 1, 1, 0], ["a", "a", "a", "b"]).value == pytest.approx(0.75)


def test_coverage_of_simulated_data() -> None:
    # videos differ in difficulty, so answers within one go together; the truth should lie inside 95 times in 100
    generator = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        easy = np.repeat(generator.beta(4, 2, 60), 5)
        right = (generator.random(300) < easy).astype(float)
        found = mean_interval(right.tolist(), np.repeat(np.arange(60).astype(str), 5).tolist(), resamples=400)
        inside += found.low <= 4 / 6 <= found.high
    assert 178 <= inside <= 199


def test_paired_difference_is_the_interval_of_the_differences() -> None:
    ours, theirs = [1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 1]
    clusters = list("aabbcc")
    found = difference_interval(ours, theirs, clusters)
    assert found.value == pytest.approx(1 / 6)
    assert found == mean_interval([1, 0, 0, 1, -1, 0], clusters)
    with pytest.raises(ValueError, match="same questions"):
        difference_interval([1], [1, 0], ["a"])


def test_same_seed_same_interval_and_one_video_has_none() -> None:
    assert mean_interval([1, 0, 1], list("abc")) == mean_interval([1, 0, 1], list("abc"))
    assert np.isnan(mean_interval([1, 0], ["a", "a"]).low)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_auroc_counts_pairs(positive: list[int], negative: list[int]) -> None:
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    assert auroc(positive, negative) == pytest.approx(wins / (len(positive) * len(negative)))
