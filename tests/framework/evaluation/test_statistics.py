"""Intervals and tests against formulas that do not share their code."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from math import comb, erfc, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from framework.evaluation.statistics import (
    auroc,
    cluster_interval,
    difference_interval,
    holm,
    mcnemar,
    mean_interval,
    sign_flip,
    spearman,
    tail,
    unseen_share,
)


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
    half = 2.0227 * (0.6 * 0.4 / 39) ** 0.5  # t.975 with 39 degrees of freedom
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


def test_standard_error_is_the_linearised_one() -> None:
    # of a ratio of sums: sqrt(V / (V - 1) x sum (S - m n)^2) / N
    generator = np.random.default_rng(5)
    sizes = generator.integers(1, 8, 150)
    videos = np.repeat(np.arange(150), sizes)
    values = (generator.random(len(videos)) < np.repeat(generator.beta(2, 2, 150), sizes)).astype(float)
    residuals = np.bincount(videos, values - values.mean())
    expected = (150 / 149 * (residuals**2).sum()) ** 0.5 / len(values)
    assert mean_interval(values.tolist(), videos.astype(str).tolist()).error == pytest.approx(expected, rel=0.05)


def test_coverage_of_a_paired_difference() -> None:
    # per video a difficulty that both share and an advantage of its own: the mean advantage is .08
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        hard, advantage = generator.uniform(0.3, 0.7, 50), generator.normal(0.08, 0.1, 50)
        luck = generator.random((50, 4))
        theirs = luck < hard[:, None]
        ours = np.where(generator.random((50, 4)) < 0.5, luck, generator.random((50, 4))) < (hard + advantage)[:, None]
        names = np.repeat(np.arange(50).astype(str), 4).tolist()
        found = difference_interval(ours.ravel().tolist(), theirs.ravel().tolist(), names, resamples=300)
        inside += found.low <= 0.08 <= found.high
    assert 0.90 <= inside / 300 <= 0.98


@pytest.mark.parametrize("videos", [2, 8, 60])
def test_no_two_videos_differ(videos: int) -> None:
    names = [f"v{i}" for i in range(videos) for _ in range(3)]
    share = 1 - 0.05 ** (1 / videos)  # (1 - share)^videos = .05
    right = mean_interval([1.0] * len(names), names)
    assert (right.low, right.high, right.bound) == (pytest.approx(1 - share), 1.0, True)
    wrong = mean_interval([0.0] * len(names), names)
    assert (wrong.low, wrong.high) == (0.0, pytest.approx(share))
    same = difference_interval([1.0, 0.0, 1.0] * videos, [1.0, 0.0, 1.0] * videos, names)
    assert (same.value, same.low, same.high, same.error) == (0.0, pytest.approx(-share), pytest.approx(share), 0.0)
    shifted = difference_interval([1.0, 1.0, 1.0] * videos, [1.0, 0.0, 1.0] * videos, names)
    assert (shifted.low, shifted.high) == pytest.approx((1 / 3 - share * 4 / 3, 1 / 3 + share * 2 / 3))
    assert not mean_interval([1.0] * (len(names) - 1) + [0.0], names).bound
    assert unseen_share(videos) == pytest.approx(share) and (
        videos < 60 or share == pytest.approx(3 / videos, rel=0.03)
    )


def test_rare_differences_stay_within_the_interval() -> None:
    # 3 % of videos differ: three data sets in ten of 40 videos hold none of them, where a width of zero would be wrong
    generator = np.random.default_rng(6)
    names = [str(i) for i in range(40)]
    found = [
        difference_interval((generator.random(40) < 0.03).tolist(), [0.0] * 40, names, resamples=200)
        for _ in range(200)
    ]
    assert 40 <= sum(one.bound for one in found) <= 80
    assert sum(one.low <= 0.03 <= one.high for one in found) >= 184


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_sign_flips_by_enumeration(sums: list[int]) -> None:
    seen = abs(sum(sums))
    flips = [abs(sum(s * v for s, v in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=len(sums))]
    expected = sum(flip >= seen for flip in flips) / len(flips)
    names = [f"v{i}" for i in range(len(sums))]
    assert sign_flip([v / 4 for v in sums], names) == pytest.approx(expected)
    halves = [v / 8 for v in sums for _ in range(2)]
    assert sign_flip(halves, [name for name in names for _ in range(2)]) == pytest.approx(expected)


def test_random_sign_flips_are_near_the_exact_binomial() -> None:
    differences = [1.0] * 26 + [-1.0] * 14 + [0.0] * 60
    names = [str(i) for i in range(100)]
    exact = binomial_p(26, 14)
    assert sign_flip(differences, names) == pytest.approx(exact, abs=0.01)
    assert sign_flip(differences, names) == sign_flip(differences, names, seed=0)
    # of three videos one sign pattern in eight is as good as another: 13 + 13 - 14 is the least that flips can bring
    assert sign_flip(differences, ["a"] * 13 + ["b"] * 13 + ["c"] * 74) == 1.0


def test_why_videos_are_what_is_flipped() -> None:
    # no true difference, but one of the two is better on some videos and worse on others, 15 questions each
    generator = np.random.default_rng(8)
    names = np.repeat(np.arange(100).astype(str), 15).tolist()
    wrong = {"questions": 0, "videos": 0}
    for _ in range(150):
        advantage = generator.normal(0, 0.15, (100, 1))
        luck = generator.random((100, 15))
        theirs = luck < 0.5
        ours = np.where(generator.random((100, 15)) < 0.5, luck, generator.random((100, 15))) < 0.5 + advantage
        wrong["questions"] += mcnemar(ours.ravel().tolist(), theirs.ravel().tolist()) < 0.05
        wrong["videos"] += sign_flip((ours * 1.0 - theirs * 1.0).ravel().tolist(), names, resamples=300) < 0.05
    assert wrong["videos"] / 150 <= 0.09 < wrong["questions"] / 150


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0] and holm([]) == [] and holm([0.2]) == [0.2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(thousandths: list[int]) -> None:
    p_values = [value / 1000 for value in thousandths]
    places = range(len(p_values))
    families = [family for size in places for family in combinations(places, size + 1)]
    expected = [
        max(min(1.0, len(f) * min(p_values[place] for place in f)) for f in families if one in f) for one in places
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_spearman_of_ranks() -> None:
    values, correct = [3.0, 1.0, 4.0, 1.5, 9.0], [1.0, 0.0, 1.0, 0.0, 1.0]
    ranks = [np.argsort(np.argsort(values)) + 1, [4, 1.5, 4, 1.5, 4]]
    assert spearman(values, correct) == pytest.approx(np.corrcoef(ranks)[0, 1])
    assert isnan(spearman([1, 1], [0, 1])) and isnan(spearman([1, 2], [1, 1]))


def test_clustered_draws_what_scipy_draws() -> None:
    values = np.array([0.2, 0.9, 0.4, 0.7, 0.1, 0.6])

    def plain(place: np.ndarray) -> float:
        return float(values[place].mean() ** 2)

    def counted(drawn: np.ndarray) -> np.ndarray:
        return (drawn @ values / 6) ** 2

    expected = stats.bootstrap(
        (np.arange(6),), plain, n_resamples=500, method="percentile", vectorized=False, rng=np.random.default_rng(4)
    )
    found = cluster_interval(counted, 6, 500, 4)
    low, high = np.quantile(expected.bootstrap_distribution, [tail(6), 1 - tail(6)])
    assert (found.low, found.high, found.error) == pytest.approx((low, high, expected.standard_error))


def test_tails_by_hand() -> None:
    # t.975 with 9 degrees of freedom is 2.262157, with 39 it is 2.022691
    for clusters, t in ((10, 2.262157), (40, 2.022691)):
        assert tail(clusters) == pytest.approx(erfc((clusters / (clusters - 1) / 2) ** 0.5 * t) / 2, rel=1e-4)
    assert tail(2) < 1e-12 and tail(100_000) == pytest.approx(0.025, abs=1e-5)


QUESTIONS, SETS = 5, 2000


def covered(videos: int, p: float, together: float, share: Callable[[int], float]) -> float:
    """How often the interval of `mean_interval` holds `p`, with `share` beyond each bound. Difficulties of videos are
    beta distributed; two questions of one video correlate by `together`.
    """
    generator = np.random.default_rng(videos)
    size = 1 / together - 1
    right = generator.binomial(QUESTIONS, generator.beta(p * size, (1 - p) * size, (SETS, videos))) / QUESTIONS
    means = right @ (generator.multinomial(videos, [1 / videos] * videos, size=400).T / videos)
    low, high = np.quantile(means, [share(videos), 1 - share(videos)], axis=1)
    same, mean = np.ptp(right, axis=1) < 1e-9, right.mean(1)
    low = np.where(same, mean - unseen_share(videos) * mean, low)
    high = np.where(same, mean + unseen_share(videos) * (1 - mean), high)
    return float(((low <= p) & (p <= high)).mean())


@pytest.mark.parametrize("videos", [10, 20, 40])
@pytest.mark.parametrize("p", [0.5, 0.9])
def test_coverage_with_few_videos(videos: int, p: float) -> None:
    assert 0.93 <= covered(videos, p, 0.001, tail) <= 0.97
    # docs/compare.md has the shortfall: near 1, where the questions of a video go together
    for together in (0.1, 0.3):
        assert (0.93 if p == 0.5 else 0.89) <= covered(videos, p, together, tail) <= 0.97


def test_plain_percentiles_are_too_narrow() -> None:
    assert covered(10, 0.5, 0.1, lambda videos: 0.025) < 0.93


def test_a_statistic_that_is_mostly_undefined_has_no_interval() -> None:
    found = cluster_interval(lambda drawn: np.where(drawn[:, 0] > 0, 1.0, np.nan), 5, 200, 0)  # undefined in a third
    assert found.value == 1.0 and isnan(found.low)
