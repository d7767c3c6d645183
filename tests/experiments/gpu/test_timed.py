"""What is timed: floors add up, attention maps that do not fit are not asked for, a film is decoded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from experiments.common import composing
from experiments.gpu import timed
from experiments.gpu.models import SHAPES, Asked, loaded
from framework.core.errors import UsageError
from framework.profiling.room import attention_bytes

BARE, PEAK = {"group s": 0.5, "final s": 2.0}, {"TFLOP/s": 1.0}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with composing(), loaded(SHAPES["tiny"], "cpu", ticks=4, budget=16, seed=0) as made:
        yield made


def test_the_floor_is_a_pass_per_group_and_the_final_ones() -> None:
    assert timed.floor(BARE, 33) == pytest.approx(33 * 0.5 + 2.0)


def test_answers_are_set_beside_the_groups_that_were_looked_at(asked: Asked) -> None:
    every = timed.answers(asked, 32, 3, "adapttoken", BARE, PEAK)
    half = timed.answers(asked, 32, 3, "half of the groups", BARE, PEAK)
    assert (every["groups"], half["groups"]) == (4, 2)
    for found, floor in ((every, 4 * 0.5 + 2.0), (half, 2 * 0.5 + 2.0)):
        assert found["x floor"] == pytest.approx(found["s"] / floor, abs=2e-3)
        assert found["s a question"] == pytest.approx(found["s"] / 3, abs=1e-3)
        stages = [found[f"{stage} s"] for stage in ("decode", "encode", "probe", "score", "refine", "answer")]
        assert 0 < sum(stages) <= found["s"] + 0.01


def test_a_film_is_rendered_and_looked_at_at_four_frames_a_second(asked: Asked) -> None:
    found = timed.film(asked, 16, 96, 1, BARE, PEAK, seed=0)
    assert found["groups"] == 2 and found["decode s"] > 0


def test_bare_passes_are_measured_for_groups_and_for_answers(asked: Asked) -> None:
    found = timed.bare(asked, 2)
    assert found["group s"] > 0 and found["final s"] > 0


def test_the_straightforward_way_takes_the_largest_group_that_fits(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_ticks = attention_bytes(asked.shape.sizes, 2 * 8 + 200, 4) / timed.ROOM
    monkeypatch.setattr(timed.checks, "free_bytes", lambda place: two_ticks + 1)
    assert timed.straightforward(asked)["ticks"] == 2
    monkeypatch.setattr(timed.checks, "free_bytes", lambda place: 1e18)
    assert timed._most_ticks(asked) == 4
    monkeypatch.setattr(timed.checks, "free_bytes", lambda place: 1000.0)
    with pytest.raises(UsageError, match=r"no group fits .*\(key: model\)"):
        timed._most_ticks(asked)
