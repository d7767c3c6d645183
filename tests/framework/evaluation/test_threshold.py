"""Thresholds of made answers whose curve is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from framework.evaluation.psychometric import Curve
from framework.evaluation.statistics import tail
from framework.evaluation.threshold import Tally, thresholds

OPACITIES = (0.03, 0.06, 0.1, 0.2, 1.0)
QUESTIONS = 5


def answers(rng: np.random.Generator, at: float, videos: int, slope: float = 4.0, spread: float = 0.0) -> Tally:
    """Answers with the threshold `at` and no misses of plain evidence; `spread`: of log thresholds over videos."""
    own = math.log(at) + spread * rng.standard_normal((videos, 1))
    p = 0.25 + 0.75 * special.expit(slope * (np.log(OPACITIES) - own))
    return Tally(rng.binomial(QUESTIONS, p).astype(float), np.full(p.shape, float(QUESTIONS)))


def exact(*right: float, videos: int = 4) -> Tally:
    """Every video has the same share of right answers at each opacity."""
    return Tally(np.tile(np.array(right) * QUESTIONS, (videos, 1)), np.full((videos, len(right)), float(QUESTIONS)))


@pytest.mark.parametrize(("at", "slope"), [(0.05, 4.0), (0.1, 2.0), (0.35, 4.0)])
def test_a_known_curve_is_recovered(at: float, slope: float) -> None:
    p = 0.25 + 0.75 * special.expit(slope * np.log(np.array(OPACITIES) / at))
    found = thresholds({"a": exact(*p)}, OPACITIES, 0.25, resamples=20)["a"]
    assert found.value.least == found.value.most == pytest.approx(at, rel=0.02)
    assert found.curve(np.array(OPACITIES)) == pytest.approx(p, abs=0.03)


def test_the_interval_covers_the_truth_and_is_no_wider_than_it_must_be() -> None:
    rng, at, runs, videos = np.random.default_rng(11), 0.1, 60, 10
    found = [
        thresholds({"a": answers(rng, at, videos)}, OPACITIES, 0.25, resamples=200, seed=run)["a"].value
        for run in range(runs)
    ]
    covered = sum(one.low <= at <= one.high for one in found)
    assert covered >= 0.88 * runs  # 95 % less 2.5 standard errors of 60 runs
    scatter = np.std([math.log(one.least) for one in found])
    width = np.median([math.log(one.high / one.low) for one in found])
    assert 3 * scatter < width < 6 * scatter  # 2 * 1.96 for many videos, 2 * 2.4 for ten


def test_beyond_the_scale_nothing_is_extrapolated() -> None:
    found = thresholds(
        {
            "half": exact(0.25, 0.6, 1, 1, 1),
            "everything": exact(1, 1, 1, 1, 1),
            "nothing": exact(0.2, 0.2, 0.2, 0.2, 0.2),
            "never half": exact(0.2, 0.4, 0.4, 0.4, 0.4),
            "nearly": exact(0.8, 1, 1, 1, 1),
        },
        OPACITIES,
        0.25,
        resamples=20,
    )
    ends = {name: (one.value.least, one.value.most) for name, one in found.items()}
    assert ends["everything"] == ends["nearly"] == (0, 0.03)
    assert ends["nothing"] == ends["never half"] == (1, math.inf)
    at = ends["half"][0]
    ratios = {name: (one.ratio.least, one.ratio.most) for name, one in found.items() if one.ratio}
    assert ratios["everything"] == pytest.approx((0, 0.03 / at))
    assert ratios["nothing"] == (pytest.approx(1 / at), math.inf)
    assert all(math.isnan(one.value.low) and math.isnan(one.value.high) for one in found.values())  # videos are alike


def test_two_beyond_the_same_end_have_no_ratio() -> None:
    found = thresholds({"a": exact(1, 1, 1, 1, 1), "b": exact(1, 1, 1, 1, 1)}, OPACITIES, 0.25, resamples=20)["b"].ratio
    assert found is not None and (found.least, found.most) == (0, math.inf)


def test_a_method_that_misses_plain_evidence_keeps_its_threshold() -> None:
    """Right in 85 % at most: half-way is .625, which is .375 / .6 of its own rise."""
    curve = Curve(0.25, math.log(0.1), 5.0, 0.85)
    found = thresholds({"a": exact(*curve(np.array(OPACITIES)))}, OPACITIES, 0.25, resamples=20)["a"].value
    assert found.least == pytest.approx(0.1 * (0.375 / 0.225) ** (1 / 5), rel=0.02)


def test_methods_share_their_resamples() -> None:
    """Twice the same answers: the ratio is 1 in every resample. Drawn apart, it would not be."""
    tally = answers(np.random.default_rng(5), 0.1, 12, spread=0.4)
    found = thresholds({"a": tally, "b": tally}, OPACITIES, 0.25, resamples=100)
    assert found["a"].value.low < found["a"].value.least < found["a"].value.high
    assert found["b"].value == found["a"].value and found["a"].ratio is None
    ratio = found["b"].ratio
    assert ratio is not None and (ratio.low, ratio.least, ratio.most, ratio.high) == (1, 1, 1, 1)


def test_bounds_are_the_fits_of_the_drawn_videos() -> None:
    """Each resample is fitted like a sample of its own, with every video as often as it was drawn."""
    ours, theirs = (answers(np.random.default_rng(seed), at, 6, spread=0.5) for seed, at in ((1, 0.1), (2, 0.15)))
    found = thresholds({"ours": ours, "theirs": theirs}, OPACITIES, 0.25, resamples=40, seed=9)["theirs"].ratio
    drawn = np.random.default_rng(9).multinomial(6, np.full(6, 1 / 6), 40)
    ratios = []
    for counts in drawn:
        times = np.repeat(np.arange(6), counts)
        both = {"a": Tally(ours.right[times], ours.asked[times]), "b": Tally(theirs.right[times], theirs.asked[times])}
        ratio = thresholds(both, OPACITIES, 0.25, resamples=1)["b"].ratio
        assert ratio is not None
        ratios.append(ratio.least)
    place = math.ceil(40 * tail(6)) - 1  # of the ordered ratios
    assert found is not None
    assert (found.low, found.high) == pytest.approx((sorted(ratios)[place], sorted(ratios)[-1 - place]))


def test_one_video_has_no_interval() -> None:
    found = thresholds({"a": exact(0.2, 0.4, 0.6, 1, 1, videos=1)}, OPACITIES, 0.25, resamples=20)["a"].value
    assert found.least == found.most and math.isnan(found.low)


@pytest.mark.parametrize(
    ("opacities", "message"),
    [((0.03, 0.06), "the same for all methods"), ((0.1, 0.06, 0.2, 0.3, 1), "ascend"), ((0, 0.1, 0.2, 0.3, 1), "0..1")],
)
def test_wrong_arguments(opacities: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        thresholds({"a": exact(0, 0, 0, 1, 1)}, opacities, 0.25)
