"""Moving average in time over another scorer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.interfaces import TokenScorer
from framework.core.types import Layout, Scores
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.smoothed import Smoothed


@dataclass(frozen=True)
class Given(TokenScorer):
    """Says what it was told."""

    values: tuple[float, ...]
    comparable: bool = True

    @property
    def needs(self) -> Needs:
        return Needs(query=True)

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.tensor(self.values), {"heard": 1.0})

    def flops(self, view: GroupView) -> float:
        return 3.0 * len(view.layout)


def _view(ticks: list[int], columns: list[int]) -> GroupView:
    layout = Layout(torch.tensor(ticks), torch.zeros(len(ticks), dtype=torch.long), torch.tensor(columns), (8, 8))
    return replace(toys.view(Needs(query=True)), layout=layout)


def test_a_place_is_averaged_over_its_neighbouring_ticks() -> None:
    view = _view([3, 3, 8, 8, 13, 13], [0, 1, 0, 1, 0, 1])
    found = Smoothed(Given((1.0, 10.0, 2.0, 40.0, 6.0, 10.0)), width=3).score(view)
    assert found.values.tolist() == pytest.approx([1.5, 25.0, 3.0, 20.0, 4.0, 25.0])
    assert found.signals == {"heard": 1.0}


def test_barred_tokens_stay_barred_and_lend_nothing() -> None:
    view = _view([0, 1, 2], [0, 0, 0])
    values = Smoothed(Given((1.0, -math.inf, 5.0)), width=3).score(view).values
    assert values.tolist() == [1.0, -math.inf, 5.0]


def test_operations_are_the_inner_ones() -> None:
    assert Smoothed(Given(()), width=3).flops(_view([0, 1, 2], [0, 0, 0])) == 9.0


def test_missing_tokens_lend_nothing() -> None:
    view = _view([0, 1, 1, 2], [0, 0, 1, 0])  # column 1 is seen at one tick only
    values = Smoothed(Given((1.0, 2.0, 9.0, 6.0)), width=3).score(view).values
    assert values.tolist() == pytest.approx([1.5, 3.0, 9.0, 4.0])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.floats(-100, 100, width=32), min_size=12, max_size=12), st.sampled_from([1, 3, 5, 25]), st.randoms())
def test_against_a_plain_loop_in_any_order(values: list[float], width: int, random: object) -> None:
    places = [(tick, column) for tick in range(6) for column in range(2)]
    random.shuffle(places)  # type: ignore[attr-defined]
    given_score = dict(zip(places, values, strict=True))
    view = _view([tick for tick, _ in places], [column for _, column in places])
    found = Smoothed(Given(tuple(values)), width=width).score(view).values
    for (tick, column), value in zip(places, found.tolist(), strict=True):
        near = [given_score[t, column] for t in range(6) if abs(t - tick) <= width // 2]
        assert value == pytest.approx(sum(near) / len(near), abs=1e-3)


def test_it_is_as_comparable_and_needy_as_its_inner_scorer() -> None:
    assert Smoothed(Given(()), 3).comparable and not Smoothed(Given((), comparable=False), 3).comparable
    assert Smoothed(Given(()), 3).needs == Needs(query=True)


@pytest.mark.parametrize("width", [0, 2, -3])
def test_a_bad_width_is_named(width: int) -> None:
    with pytest.raises(ValueError, match=r"scorer\.width must be an odd number"):
        Smoothed(Given(()), width)
