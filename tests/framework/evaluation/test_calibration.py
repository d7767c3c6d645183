"""Reliability, calibration error and Brier score by hand and on made answers of known calibration."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from framework.evaluation.calibration import calibration


def test_by_hand() -> None:
    confidence = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55, 0.25, 1.0]
    correct = [1, 1, 1, 0, 1, 0, 1, 1]
    found = calibration(confidence, correct, list("aabbccdd"), resamples=200)
    assert [(b.low, b.n) for b in found.bins] == [(0.2, 1), (0.5, 2), (0.9, 5)]  # 1.0 belongs to the last bin
    assert found.bins[2].confidence == pytest.approx(0.96) and found.bins[2].accuracy.value == pytest.approx(0.8)
    gaps = [1 * 0.75, 2 * 0.05, 5 * 0.16]
    assert found.error.value == pytest.approx(sum(gaps) / 8)
    assert found.brier.value == pytest.approx((3 * 0.05**2 + 0.95**2 + 0.45**2 + 0.55**2 + 0.75**2 + 0) / 8)
    assert (found.n, found.accuracy, found.confidence) == (8, 0.75, pytest.approx(sum(confidence) / 8))
    assert found.error.low <= found.error.value <= found.error.high


def test_honest_and_boastful_probabilities() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.25, 1.0, 4000)
    correct = (generator.random(4000) < confidence).astype(float).tolist()
    videos = [str(i // 4) for i in range(4000)]
    honest = calibration(confidence.tolist(), correct, videos, resamples=200)
    assert honest.error.value < 0.03
    # expected squared distance of an honest probability p: p (1 - p)
    assert honest.brier.value == pytest.approx(float((confidence * (1 - confidence)).mean()), abs=0.01)
    assert honest.brier.low < float((confidence * (1 - confidence)).mean()) < honest.brier.high
    boastful = calibration(np.sqrt(confidence).tolist(), correct, videos, resamples=200)
    assert boastful.error.value == pytest.approx(float((np.sqrt(confidence) - confidence).mean()), abs=0.02)
    assert boastful.error.low > honest.error.high


def test_all_right_gives_no_interval() -> None:
    found = calibration([0.9, 0.99, 0.8], [1, 1, 1], list("abc"))
    assert isnan(found.error.low) and isnan(found.brier.high)
    assert found.bins[-1].accuracy.bound  # of accuracy there is a bound


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        calibration([1.2], [1], ["a"])
    with pytest.raises(ValueError, match="at least one"):
        calibration([], [], [])
