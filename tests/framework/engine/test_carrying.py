"""Kept places on another grid: the same where grids are equal, else by the area that they cover, counted by hand."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Candidates, Layout, Selection, Tokens
from framework.engine.carrying import budget_on, carried, scores_of


def grid(rows: int, columns: int) -> Layout:
    place = torch.cartesian_prod(torch.arange(1), torch.arange(rows), torch.arange(columns)).T
    return Layout(place[0], place[1], place[2], (28, 28))


def selection(places: list[tuple[int, int, int]], groups: list[int], budget: int | None = None) -> Selection:
    tick, row, column = torch.tensor(places).T
    tokens = Tokens(torch.zeros(len(places), 1), tick, row, column, tick.double())
    return Selection(tokens, torch.tensor(groups), budget or len(places))


def places(found: object) -> list[tuple[int, int, int]]:
    return list(zip(*(getattr(found, name).tolist() for name in ("tick", "row", "column")), strict=True))


def test_equal_grids_keep_places_order_groups_and_budget() -> None:
    kept = selection([(3, 1, 0), (3, 0, 1), (7, 1, 1)], [0, 0, 2], budget=5)
    found = carried(kept, torch.zeros(3), grid(2, 2), grid(2, 2), 5)
    assert places(found) == [(3, 1, 0), (3, 0, 1), (7, 1, 1)]
    assert found.group.tolist() == [0, 0, 2] and found.budget == 5


def test_a_coarse_place_becomes_the_cells_that_it_covers() -> None:
    found = carried(selection([(4, 0, 1)], [1]), torch.ones(1), grid(2, 2), grid(4, 4), 100)
    assert places(found) == [(4, 0, 2), (4, 0, 3), (4, 1, 2), (4, 1, 3)]
    assert found.group.tolist() == [1] * 4 and found.budget == 4


def test_fine_places_on_one_cell_become_one_cell() -> None:
    """Five cells of a 4 x 4 grid are as much as 1.25 cells of a 2 x 2 one: two, and the fuller one is sure to be in."""
    fine = [(0, 0, 0), (0, 0, 1), (0, 2, 2), (0, 2, 3), (0, 3, 3)]  # two on cell (0, 0), three on cell (1, 1)
    found = carried(selection(fine, [0] * 5), torch.ones(5), grid(4, 4), grid(2, 2), 100)
    assert places(found) == [(0, 0, 0), (0, 1, 1)]
    one = carried(selection(fine, [0] * 5), torch.zeros(5), grid(4, 4), grid(2, 2), 1)
    assert places(one) == [(0, 1, 1)]


def test_grids_that_do_not_divide_each_other_share_by_area() -> None:
    """The middle of three columns covers half of each of two; the left one all of what is left of the first."""
    middle = selection([(0, 0, 1)], [0])
    assert places(carried(middle, torch.ones(1), grid(1, 3), grid(1, 2), 9)) == [(0, 0, 0)]  # a tie: the earlier one
    both = selection([(0, 0, 1), (0, 0, 2)], [0, 0])
    assert places(carried(both, torch.ones(2), grid(1, 3), grid(1, 2), 1)) == [(0, 0, 1)]  # 1.0 of it against 1/3


def test_ties_go_to_the_higher_score_and_not_to_the_start_of_the_video() -> None:
    late = selection([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [0] * 3)
    found = carried(late, torch.tensor([0.1, 0.2, 0.3]), grid(2, 2), grid(1, 1), 9)  # 0.75 of a token: one
    assert places(found) == [(2, 0, 0)]


def test_every_group_keeps_its_part() -> None:
    """Scattered fine places touch 16 coarse cells and are worth 4: one of four lies in group 0, whatever the scores."""
    fine = [(tick, row, column) for tick in range(4) for row in (0, 2) for column in (0, 2)]
    kept = selection(fine, [0] * 4 + [1] * 12)
    scores = torch.cat([torch.zeros(4), torch.ones(12)])
    found = carried(kept, scores, grid(4, 4), grid(2, 2), 9)
    assert Counter(found.group.tolist()) == {0: 1, 1: 3}
    close = [(0, row, column) for row in (0, 1) for column in (0, 1)]  # on one cell, and as many on four
    found = carried(selection(close + fine[4:8], [0] * 4 + [1] * 4), torch.ones(8), grid(4, 4), grid(2, 2), 9)
    assert Counter(found.group.tolist()) == {0: 1, 1: 1}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_count_is_exact_and_no_place_is_taken_twice(data: st.DataObject) -> None:
    side = st.integers(1, 5)
    old, new = (data.draw(st.tuples(side, side)) for _ in range(2))
    ticks = data.draw(st.integers(1, 6))
    cells = [(tick, row, column) for tick in range(ticks) for row in range(old[0]) for column in range(old[1])]
    chosen = sorted(data.draw(st.sets(st.sampled_from(cells), min_size=1)))
    budget = data.draw(st.integers(1, 40))
    found = carried(
        selection(chosen, [t % 3 for t, _, _ in chosen]), torch.rand(len(chosen)), grid(*old), grid(*new), budget
    )
    share = len(chosen) * new[0] * new[1] / (old[0] * old[1])
    expected = len(chosen) if old == new else min(budget, math.ceil(share - 1e-9))
    assert len(found) == expected == len(set(places(found))) == found.budget
    assert {tick for tick, _, _ in places(found)} <= {tick for tick, _, _ in chosen}
    assert places(found) == sorted(places(found))
    assert found.group.tolist() == [tick % 3 for tick, _, _ in places(found)]


@pytest.mark.parametrize(("budget", "expected"), [(16, 4), (17, 5), (1, 1)])
def test_the_budget_of_a_coarser_grid_covers_as_much(budget: int, expected: int) -> None:
    assert budget_on(grid(2, 2), grid(4, 4), budget) == expected


def test_scores_are_found_by_place() -> None:
    all_of_them = selection([(0, 1, 1), (0, 0, 0), (5, 1, 0), (5, 0, 1)], [0] * 4)
    score = torch.tensor([1.0, 2.0, 3.0, 4.0])
    candidates = Candidates(all_of_them.tokens, all_of_them.group, score, torch.ones(4), 1.0)
    assert scores_of(selection([(5, 0, 1), (0, 1, 1)][::-1], [0, 0]), candidates).tolist() == [1.0, 4.0]
