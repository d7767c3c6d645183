"""Ids, scales, boxes and cells: round trips, hand-counted overlaps, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from tests.fixtures.gaze_layout import boxes

PUBLISHED = Vocabulary((32, 64, 112, 224))
sizes = st.tuples(
    st.integers(1, 16), st.sets(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 8), st.integers(1, 8)
)


def test_the_published_numbers() -> None:
    assert PUBLISHED.grids == (2, 4, 7, 14)
    assert PUBLISHED.starts == (0, 4, 20, 69)
    assert (PUBLISHED.size, PUBLISHED.eos) == (265, 265)
    assert PUBLISHED.finest == slice(69, 265)
    assert Vocabulary((32, 64, 112)).size == 69


@given(sizes)
def test_ids_places_boxes_and_cells_agree(case: tuple[int, set[int], int, int]) -> None:
    patch, grids, rows, columns = case
    words = Vocabulary(tuple(sorted(grid * patch for grid in grids)), patch)
    ids = torch.arange(words.size)
    scale, row, column = words.place(ids)
    assert torch.equal(words.id(scale, row, column), ids)
    assert torch.equal(words.scale_of(ids), scale)
    places = boxes(words)
    assert torch.equal(
        (places[:, :2] * torch.tensor(words.grids)[scale, None]).round().long(), torch.stack([row, column], 1)
    )
    # an independent overlap: boxes against the boxes of the cells, in floating point
    edges = torch.arange(rows).double() / rows, torch.arange(columns).double() / columns
    down = (places[:, 2:3].minimum(edges[0] + 1 / rows) - places[:, 0:1].maximum(edges[0])).clamp_min(0) * rows
    across = (places[:, 3:4].minimum(edges[1] + 1 / columns) - places[:, 1:2].maximum(edges[1])).clamp_min(0) * columns
    cover = words.cover(rows, columns)
    assert torch.allclose(cover.double(), (down[:, :, None] * across[:, None]).flatten(1), atol=1e-6)
    for first, last in zip(words.starts, [*words.starts[1:], words.size], strict=True):
        assert torch.allclose(cover[first:last].sum(0), torch.ones(rows * columns))  # a scale covers the frame once


@given(st.integers(0, 195), st.integers(1, 3), st.integers(1, 3))
def test_the_finest_ids_are_the_merged_tokens_of_a_tile(cell: int, rows: int, columns: int) -> None:
    one = PUBLISHED.cover(14, 14)[69 + cell]
    assert one.nonzero().flatten().tolist() == [cell] and float(one[cell]) == 1
    finer = PUBLISHED.cover(14 * rows, 14 * columns)[69 + cell].view(14 * rows, 14 * columns)
    where = finer.nonzero()
    assert len(where) == rows * columns
    assert {(int(r) // rows, int(c) // columns) for r, c in where} == {divmod(cell, 14)}


def test_coarse_patches_over_a_tile_of_14_x_14_cells() -> None:
    cover = PUBLISHED.cover(14, 14)
    assert torch.allclose(cover.sum(1), torch.tensor([49.0] * 4 + [12.25] * 16 + [4.0] * 49 + [1.0] * 196))
    assert int((cover[4] > 0).sum()) == 16  # 3.5 x 3.5 cells touch 4 x 4
    assert cover[4].view(14, 14)[:4, :4].tolist()[3] == [0.5, 0.5, 0.5, 0.25]


def test_masks_leave_eos_out() -> None:
    words = Vocabulary((16, 32))
    coarse, fine = words.masks(torch.tensor([[0, 5, 5], [2, 5, 5]]))
    assert coarse.flatten().tolist() == [True, False]
    assert fine[1].tolist() == [[False, True], [False, False]]
    assert not fine[0].any()
    assert words.picked(torch.tensor([5, 4])).tolist() == [False, False, False, False, True]


@pytest.mark.parametrize("scales", [(), (30, 60), (8, 32), (64, 32), (32, 32), (0, 32)])
def test_scales_that_do_not_divide_or_ascend_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"gaze\.scales"):
        Vocabulary(scales)


def test_what_is_no_id_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0 \.\. 264"):
        PUBLISHED.scale_of(torch.tensor([265]))
    with pytest.raises(ValueError, match=r"0 \.\. 265"):
        PUBLISHED.picked(torch.tensor([266]))
    with pytest.raises(ValueError, match="outside its grid"):
        PUBLISHED.id(torch.tensor(0), torch.tensor(2), torch.tensor(0))
    with pytest.raises(ValueError, match="at least one row"):
        PUBLISHED.cover(0, 3)
    with pytest.raises(ValueError, match=r"gaze\.patch"):
        Vocabulary((32,), 0)
