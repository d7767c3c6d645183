"""The needle probe's arithmetic, by hand and against counted pairs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Layout
from framework.evaluation.layer_probe import average, best, evidence_mask, quality, readings


def grid(ticks: int, side: int) -> Layout:
    place = torch.cartesian_prod(torch.arange(ticks), torch.arange(side), torch.arange(side))
    return Layout(place[:, 0], place[:, 1], place[:, 2], (28, 28))


def test_evidence_on_the_labs_own_grid() -> None:
    layout = grid(4, 2)
    mask = evidence_mask(layout, layout.tick.double(), [(1.0, 3.0)], [3], 2)
    assert mask.nonzero()[:, 0].tolist() == [7, 11]  # the last cell of ticks 1 and 2


def test_evidence_on_a_finer_grid_is_a_block() -> None:
    layout = grid(2, 4)
    mask = evidence_mask(layout, layout.tick.double(), [(0.0, 1.0), (1.0, 2.0)], [1, 2], 2)
    assert mask.view(2, 4, 4)[0].nonzero().tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    assert mask.view(2, 4, 4)[1].nonzero().tolist() == [[2, 0], [2, 1], [3, 0], [3, 1]]


def test_evidence_without_cells_goes_by_time() -> None:
    layout = grid(2, 2)
    assert evidence_mask(layout, layout.tick.double(), [(1.0, 9.0)], [], 2).tolist() == [False] * 4 + [True] * 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=12))
def test_quality_counts_pairs_and_the_top(rows: list[tuple[int, bool]]) -> None:
    values = torch.tensor([float(value) for value, _ in rows])
    mask = torch.tensor([here for _, here in rows])
    if not 0 < int(mask.sum()) < len(rows):
        with pytest.raises(ValueError, match="evidence"):
            quality(values, mask)
        return
    share, auroc = quality(values, mask)
    pairs = [(p > n) + 0.5 * (p == n) for p in values[mask].tolist() for n in values[~mask].tolist()]
    ranked = sorted(range(len(rows)), key=lambda i: (-rows[i][0], i))[: int(mask.sum())]
    assert auroc == pytest.approx(sum(pairs) / len(pairs))
    assert share == pytest.approx(sum(rows[i][1] for i in ranked) / len(ranked))


def test_readings_and_the_best_layer() -> None:
    sharp = torch.zeros(2, 3, 4)
    sharp[0, 2, 1] = 1.0  # one head, last row, points at token 1
    rows = {"question_end": torch.tensor([2]), "question": torch.tensor([1, 2]), "options": torch.tensor([]).long()}
    rows["last"] = torch.tensor([0])
    found = readings({0: torch.full((2, 3, 4), 0.25), 1: sharp}, rows)
    assert (1, "options", "mean") not in found  # nothing to vote
    assert found[1, "question_end", "mean"].tolist() == [0, 0.5, 0, 0]
    assert found[1, "question_end", "max"].tolist() == [0, 1, 0, 0]
    assert found[1, "question", "max"].tolist() == [0, 0.5, 0, 0]
    mask = torch.tensor([False, True, False, False])
    points = average({key: [quality(values, mask)] for key, values in found.items()})
    assert (best(points).layer, best(points).share, best(points).auroc) == (1, 1.0, 1.0)
