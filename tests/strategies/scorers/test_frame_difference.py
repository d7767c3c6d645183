"""Change of a cell since the previous tick, against hand-made pixels."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Frames, Group, Layout
from framework.core.view import GroupView, MissingNeed, Needs
from framework.testing import toys
from strategies.scorers.frame_difference import FrameDifference


def _view(pixels: torch.Tensor, ticks: list[int], rows: int, columns: int, cell: tuple[int, int]) -> GroupView:
    tick = torch.tensor(ticks)
    row, column = (at.reshape(-1) for at in torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"))
    layout = Layout(tick.repeat_interleave(rows * columns), row.repeat(len(ticks)), column.repeat(len(ticks)), cell)
    seconds = tick.double()
    return GroupView(Group(0, tick), toys.QUESTION, layout, seconds, shown_frames=Frames(pixels, seconds))


def test_hand_made_change() -> None:
    pixels = torch.zeros(3, 2, 3, 4, 6, dtype=torch.uint8)  # 2 x 2 cells of 2 x 3 pixels
    pixels[1:, :, :, 0:2, 3:6] = 200  # the upper right cell lights up at the second tick and stays
    pixels[2, 0, 1, 2, 0] = 144  # one channel of one pixel of the lower left cell, one frame of two
    values = FrameDifference().score(_view(pixels, [4, 9, 14], 2, 2, (2, 3))).values.view(3, 2, 2)
    assert values[1].tolist() == [[0.0, 200.0], [0.0, 0.0]]
    assert torch.equal(values[0], values[1])  # no predecessor: the difference to the next one
    assert values[2].tolist() == [[0.0, 0.0], [144 / (2 * 3 * 6), 0.0]]


def test_darkening_counts_like_lighting_up() -> None:
    pixels = torch.zeros(2, 1, 3, 2, 2, dtype=torch.uint8)
    pixels[0] = 255
    assert FrameDifference().score(_view(pixels, [0, 1], 1, 1, (2, 2))).values.tolist() == [255.0, 255.0]


def test_a_single_tick_scores_zero() -> None:
    pixels = torch.full((1, 2, 3, 2, 4), 9, dtype=torch.uint8)
    assert FrameDifference().score(_view(pixels, [7], 1, 2, (2, 2))).values.tolist() == [0.0, 0.0]


def test_tokens_that_were_dropped_need_no_score() -> None:
    full = toys.view(Needs(pixels=True), ticks=4)
    kept = torch.tensor([1, 13, 30, 47])
    part = GroupView(full.group, full.question, full.layout[kept], full.seconds, shown_frames=full.frames)
    scorer = FrameDifference()
    assert torch.equal(scorer.score(part).values, scorer.score(full).values[kept])


def test_against_a_plain_loop() -> None:
    view = toys.view(Needs(pixels=True), seed=5, ticks=3)
    values, pixels = FrameDifference().score(view).values, view.frames.pixels.double()
    for n in range(len(view.layout)):
        tick = n // 12
        y, x = int(view.layout.row[n]) * toys.CELL, int(view.layout.column[n]) * toys.CELL
        cells = pixels[..., y : y + toys.CELL, x : x + toys.CELL]
        before = cells[tick - 1] if tick else cells[1]
        assert float(values[n]) == pytest.approx(float((cells[tick] - before).abs().mean()), rel=1e-5)


def test_it_compares_across_groups_and_needs_pixels() -> None:
    assert FrameDifference().comparable and FrameDifference().needs == Needs(pixels=True)
    with pytest.raises(MissingNeed, match="pixels=True"):
        FrameDifference().score(toys.view(Needs(tokens=True)))
