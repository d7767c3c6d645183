"""What made-up videos show: numbers over time by hand, shots in a row, and all of it from the seed alone."""

from __future__ import annotations

import pytest

from strategies.learned.autogaze.training.synthetic_scene import Wave, shots


def test_waves_by_hand() -> None:
    assert Wave(1.0, 2.0).at(0.5) == 2.0
    assert Wave(0.0, 0.0, 3.0, 1.0, 0.0).at(0.25) == pytest.approx(3.0)
    resting = Wave(0.0, 1.0, rests=(1.0, 3.0))
    assert [resting.at(t) for t in (0.5, 1.0, 2.0, 3.0, 4.0)] == [0.5, 1.0, 1.0, 1.0, 2.0]


def test_shots_follow_one_another() -> None:
    takes = shots(0, 0, 200.0)
    starts = [take.start for take in takes]
    assert starts[0] == 0 and starts == sorted(starts) and len(takes) > 3
    assert [take.start for take in shots(0, 0, 20.0)] == [start for start in starts if start <= 20.0]


def test_a_shot_is_the_same_however_far_one_looks() -> None:
    assert repr(shots(3, 4, 1.0)[0]) == repr(shots(3, 4, 90.0)[0])
    assert repr(shots(3, 4, 1.0)[0]) != repr(shots(3, 5, 1.0)[0]) != repr(shots(4, 4, 1.0)[0])


def test_there_is_variety() -> None:
    takes = [shots(9, index, 0.0)[0] for index in range(200)]
    assert {take.ground.pattern for take in takes} == {"noise", "stripes", "checks", "plain"}
    assert {thing.shape for take in takes for thing in take.things} == {"ellipse", "box", "ring", "star"}
    assert {len(take.things) for take in takes} == set(range(6))
    still = [take.x.speed == take.y.speed == take.x.height == take.zoom.speed == 0 for take in takes]
    assert 0.3 < sum(still) / 200 < 0.6 and 0.3 < sum(take.noise == 0 for take in takes) / 200 < 0.7
