"""Curves by hand, and fits against scipy's optimiser."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, special

from framework.evaluation.psychometric import SLOPES, Curve, fit

SCALE = np.array([0.03, 0.06, 0.1, 0.2, 1.0])


def test_a_curve_by_hand() -> None:
    curve = Curve(chance=0.25, location=math.log(0.1), slope=4.0, top=1.0)
    assert curve(np.array([0.1, 0.2])) == pytest.approx([0.625, 0.25 + 0.75 * 16 / 17])  # 2 ** 4 : 1
    assert curve.half_way == pytest.approx(0.1)


def test_half_way_is_between_chance_and_one_whatever_the_top() -> None:
    """Right in 85 % at most: .625 is .375 / .6 of the rise, odds 5 : 3. A top of .625 is never left behind."""
    curves = Curve(0.25, np.log([0.1, 0.1, 0.1]), np.array([5.0, 5.0, 5.0]), np.array([0.85, 0.625, 0.4]))
    assert curves.half_way == pytest.approx([0.1 * (5 / 3) ** (1 / 5), math.inf, math.inf])
    assert curves[0](curves.half_way[:1]) == pytest.approx([0.625])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fit_is_the_maximum_that_scipy_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked = np.full(len(SCALE), 200.0)
    right = rng.binomial(200, Curve(0.25, math.log(rng.uniform(0.05, 0.2)), 4.0, 0.93)(SCALE)).astype(float)

    def loss(values: np.ndarray) -> float:
        p = 0.25 + (values[2] - 0.25) * special.expit(values[1] * (np.log(SCALE) - values[0]))
        return -float(right @ np.log(p) + (asked - right) @ np.log1p(-p))

    starts = [(at, slope, 0.95) for at in (-3.0, -2.0, -1.5) for slope in (2.0, 6.0)]
    bounds = [(-4, 0.9), SLOPES, (0.25, 1 - 1e-9)]
    best = min((optimize.minimize(loss, start, bounds=bounds) for start in starts), key=lambda found: found.fun)
    found = fit(SCALE, 0.25, right[None], (asked - right)[None])[0]
    assert loss(np.array([found.location, found.slope, min(found.top, 1 - 1e-9)])) <= best.fun + 0.01
    assert found.half_way == pytest.approx(Curve(0.25, *best.x).half_way, rel=0.01)


def test_rows_are_fitted_one_by_one() -> None:
    right = np.array([[50.0, 60, 120, 190, 200], [60, 140, 190, 200, 200], [50, 50, 50, 50, 50]])
    together = fit(SCALE, 0.25, right, 200 - right)
    for place in range(3):
        assert together[place] == fit(SCALE, 0.25, right[place : place + 1], 200 - right[place : place + 1])[0]
    assert together.half_way[0] > together.half_way[1] and together.half_way[2] == math.inf
