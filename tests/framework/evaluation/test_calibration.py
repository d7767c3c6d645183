"""Reliability, calibration error and Brier score by hand and on made answers of known calibration."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from framework.evaluation.calibration import calibration, consistent


def test_by_hand() -> None:
    confidence = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55, 0.25, 1.0]
    correct = [1, 1, 1, 0, 1, 0, 1, 1]
    found = calibration(confidence, correct, list("aabbccdd"), resamples=200)
    assert [(b.low, b.n) for b in found.bins] == [(0.2, 1), (0.5, 2), (0.9, 5)]  # 1.0 belongs to the last bin
    assert found.bins[2].confidence == pytest.approx(0.96) and found.bins[2].accuracy.value == pytest.approx(0.8)
    gaps = [1 * 0.75, 2 * 0.05, 5 * 0.16]
    assert found.error == pytest.approx(sum(gaps) / 8)
    assert found.brier.value == pytest.approx((3 * 0.05**2 + 0.95**2 + 0.45**2 + 0.55**2 + 0.75**2 + 0) / 8)
    assert (found.n, found.accuracy, found.confidence) == (8, 0.75, pytest.approx(sum(confidence) / 8))


def test_what_a_calibrated_answerer_does_not_exceed() -> None:
    # 100 answers of .9: the error is |k / 100 - .9|, and k is binomial; .06 covers 96.4 %, .05 only 93.6 %
    assert consistent([0.9] * 100, resamples=4000) == pytest.approx(0.06)
    # two bins of two coins each: both errors add up; 0 or 1 in all but one case in four
    assert consistent([0.5, 0.5, 0.6, 0.6], resamples=4000) <= 0.55
    assert consistent([1.0, 1.0]) == 0.0


def test_calibrated_answers_exceed_it_one_time_in_twenty() -> None:
    generator = np.random.default_rng(2)
    above = 0
    for _ in range(200):
        confidence = generator.uniform(0.25, 1.0, 100)
        gaps = confidence - (generator.random(100) < confidence)
        error = sum(abs(gaps[(b / 10 <= confidence) & (confidence < (b + 1) / 10)].sum()) for b in range(10)) / 100
        above += error > consistent(confidence.tolist(), resamples=200)
    assert 3 <= above <= 20


def test_honest_and_boastful_probabilities() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.25, 1.0, 4000)
    correct = (generator.random(4000) < confidence).astype(float).tolist()
    videos = [str(i // 4) for i in range(4000)]
    honest = calibration(confidence.tolist(), correct, videos, resamples=200)
    assert honest.error < 0.03 and honest.error <= honest.consistent
    # expected squared distance of an honest probability p: p (1 - p)
    assert honest.brier.value == pytest.approx(float((confidence * (1 - confidence)).mean()), abs=0.01)
    assert honest.brier.low < float((confidence * (1 - confidence)).mean()) < honest.brier.high
    boastful = calibration(np.sqrt(confidence).tolist(), correct, videos, resamples=200)
    assert boastful.error == pytest.approx(float((np.sqrt(confidence) - confidence).mean()), abs=0.02)
    assert boastful.error > 3 * boastful.consistent


def test_all_right_gives_no_interval() -> None:
    found = calibration([0.9, 0.99, 0.8], [1, 1, 1], list("abc"))
    assert isnan(found.brier.low) and isnan(found.brier.high)
    assert found.bins[-1].accuracy.bound  # of accuracy there is a bound


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        calibration([1.2], [1], ["a"])
    with pytest.raises(ValueError, match="at least one"):
        calibration([], [], [])
