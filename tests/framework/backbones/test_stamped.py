"""Ids of stamped ticks by hand, and against transformers' own."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3VLConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLModel

from framework.backbones.stamped import stamped_ids, tick_starts


def test_a_tick_takes_its_text_its_longer_side_and_a_bracket() -> None:
    """Four tokens of text before the first tick and five before the second; grids of 2 x 3."""
    starts, after = tick_starts(10, torch.tensor([4, 5]), 3)
    assert starts.tolist() == [10, 10 + 4 + 3 + 1] and after == 18 + 5 + 3 + 1


def test_ids_of_two_ticks_of_which_tokens_were_dropped() -> None:
    """The first keeps (0, 1) and (1, 2), the second (1, 0); a gap of 100 ids lies between them."""
    row, column = torch.tensor([0, 1, 1]), torch.tensor([1, 2, 0])
    ids = stamped_ids(torch.tensor([10, 118]), torch.tensor([2, 3]), torch.tensor([2, 1]), 3, row, column)
    assert ids.tolist() == [
        [10, 11, 12, 12, 15, 118, 119, 120, 121, 124],
        [10, 11, 12, 13, 15, 118, 119, 120, 122, 124],
        [10, 11, 13, 14, 15, 118, 119, 120, 121, 124],
    ]


def test_a_tick_of_which_all_was_dropped_is_its_text_alone() -> None:
    """The closing bracket stays where it is in the whole prompt: behind a grid of three columns."""
    none = torch.empty(0, dtype=torch.long)
    ids = stamped_ids(torch.tensor([10]), torch.tensor([2]), torch.tensor([0]), 3, none, none)
    assert ids.tolist() == 3 * [[10, 11, 15]]


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (3, 2), (1, 1)])
def test_whole_ticks_have_the_ids_of_transformers(rows: int, columns: int) -> None:
    opening, cells = torch.tensor([4, 5, 4]), rows * columns
    kinds = [0] * 7
    for text in opening.tolist():
        kinds += [0] * text + [2] * cells + [0]
    kinds += [0] * 6
    model = Qwen3VLModel.__new__(Qwen3VLModel)
    torch.nn.Module.__init__(model)
    model.config = Qwen3VLConfig()
    grid, marks = torch.tensor([[3, 2 * rows, 2 * columns]]), torch.tensor([kinds])
    expected, _ = model.get_rope_index(torch.zeros_like(marks), marks, video_grid_thw=grid)
    extent = max(rows, columns)
    starts, after = tick_starts(7, opening, extent)
    place = torch.arange(cells).repeat(3)
    ids = stamped_ids(starts, opening, torch.full((3,), cells), extent, place // columns, place % columns)
    assert torch.equal(ids, expected[:, 0, 7:-6]) and after == expected[0, 0, -6]
