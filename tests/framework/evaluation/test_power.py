"""The smallest detectable difference against binomial sums and against simulated power."""

from __future__ import annotations

from math import comb, isnan

import numpy as np
import pytest

from framework.evaluation.power import least, smallest_detectable
from framework.evaluation.statistics import difference_interval


def at_least(needed: int, units: int, share: float) -> float:
    return 1 - sum(comb(units, k) * share**k * (1 - share) ** (units - k) for k in range(needed))


@pytest.mark.parametrize("units", [6, 40, 200])
def test_least_is_six_disagreements_with_80_percent_chance(units: int) -> None:
    assert 2 * 0.5**5 > 0.05 >= 2 * 0.5**6  # five disagreements are never enough for the exact test, six are
    assert at_least(6, units, least(units)) == pytest.approx(0.8)


def test_too_few_units_show_nothing() -> None:
    assert isnan(least(5)) and isnan(smallest_detectable(0.0, 5))


def test_normal_where_runs_disagree_and_exact_where_they_hardly_do() -> None:
    assert smallest_detectable(0.02, 2700) == pytest.approx((1.959964 + 0.841621) * 0.02, rel=1e-5)
    assert smallest_detectable(0.0, 200) == least(200) == smallest_detectable(0.005, 200)
    assert smallest_detectable(float("nan"), 200) == least(200)


def simulated(generator: np.random.Generator, difference: float) -> tuple[list[float], list[str]]:
    """Differences of 60 videos with four questions each; videos differ in how much the one is better."""
    mean = difference + generator.normal(0, 0.1, (60, 1))
    luck = generator.random((60, 4))
    values = np.where(luck < 0.2 + mean / 2, 1.0, np.where(luck > 0.8 + mean / 2, -1.0, 0.0))
    return values.ravel().tolist(), np.repeat(np.arange(60).astype(str), 4).tolist()


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    generator = np.random.default_rng(2)
    zeros = [0.0] * 240
    errors = [
        difference_interval(values, zeros, videos, resamples=300).error
        for values, videos in (simulated(generator, 0.0) for _ in range(20))
    ]
    difference = smallest_detectable(float(np.mean(errors)), 240)
    found = 0
    for _ in range(300):
        values, videos = simulated(generator, difference)
        found += difference_interval(values, zeros, videos, resamples=300).low > 0
    assert 0.74 <= found / 300 <= 0.87
