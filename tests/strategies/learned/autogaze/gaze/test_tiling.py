"""Tiles: each is gazed at as if it were alone, whatever the batch; picks, order and losses stay with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip, score_picks
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.gaze.tiling import cut, gaze_clips, gaze_tiles


def bytes_of(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("rows", "columns", "batch"), [(1, 1, 1), (2, 3, 1), (2, 3, 4), (3, 1, 8)])
def test_each_tile_is_as_if_alone(small: Callable[..., Gaze], rows: int, columns: int, batch: int) -> None:
    gaze, frames = small(2), bytes_of(3, 3, rows * 28, columns * 28)
    control = Control(torch.arange(3 * rows * columns).view(rows * columns, 3) % 10 + 1, -1.0)
    tiled = gaze_tiles(gaze, frames, control, side=28, batch=batch, predictions=True)
    assert (tiled.rows, tiled.columns) == (rows, columns)
    whole = tiled.masks(gaze.vocabulary)
    assert [mask.shape for mask in whole] == [(3, rows * grid, columns * grid) for grid in gaze.vocabulary.grids]
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        tile = frames[:, :, row * 28 : (row + 1) * 28, column * 28 : (column + 1) * 28]
        assert torch.equal(cut(frames, 28)[place], tile)
        pixels = prepare(tile, 48)[None]
        alone = score_picks(gaze, pixels, gaze_clip(gaze, pixels, control.of(slice(place, place + 1))))
        slots = alone.ids.shape[2]
        assert torch.equal(tiled.picks.ids[place : place + 1, :, :slots], alone.ids)  # the order too
        assert not tiled.picks.valid[place, :, slots:].any()
        for ours, own in (
            (tiled.picks.predicted, alone.predicted),
            (tiled.picks.log_probabilities, alone.log_probabilities),
        ):
            assert torch.allclose(ours[place : place + 1, :, :slots], own, atol=1e-4)
        for mask, own, grid in zip(whole, gaze.vocabulary.masks(alone.ids), gaze.vocabulary.grids, strict=True):
            assert torch.equal(mask[:, row * grid : (row + 1) * grid, column * grid : (column + 1) * grid], own[0])


@pytest.mark.parametrize("mode", ["contiguous", "official"])
@pytest.mark.parametrize("batch", [1, 4, 16])
def test_clips_are_as_if_alone(small: Callable[..., Gaze], mode: Literal["contiguous", "official"], batch: int) -> None:
    """In the official mode a tile depends on those that it is batched with, which are of its own clip only."""
    gaze, clips = small(2), bytes_of(3, 2, 3, 28, 56)
    control = Control(6, -0.5, mode)
    found = gaze_clips(gaze, clips, control, 28, batch, predictions=True)
    alone = [gaze_tiles(gaze, clip, control, 28, batch, predictions=True) for clip in clips]
    assert [one.picks.lists() for one in found] == [one.picks.lists() for one in alone]
    assert len({len(frame) for one in alone for video in one.picks.lists() for frame in video}) > 1
    for ours, own in zip(found, alone, strict=True):
        slots = own.picks.ids.shape[2]
        assert (ours.rows, ours.columns) == (own.rows, own.columns) == (1, 2)
        assert torch.allclose(ours.picks.predicted[..., :slots], own.picks.predicted, atol=1e-4)


def test_clips_take_numbers_of_their_own(small: Callable[..., Gaze]) -> None:
    budget = torch.arange(12).view(6, 2) % 5 + 1  # of three clips of two tiles, frame by frame
    found = gaze_clips(small(), bytes_of(3, 2, 3, 28, 56), Control(budget), 28, 4)
    assert torch.equal(torch.cat([one.picks.counts for one in found]), budget)


def test_both_layouts(small: Callable[..., Gaze]) -> None:
    frames = bytes_of(1, 3, 28, 56)
    one = gaze_tiles(small(), frames, Control(3), 28, 2)
    assert torch.equal(gaze_tiles(small(), frames.movedim(1, -1), Control(3), 28, 2).picks.ids, one.picks.ids)


def test_a_frame_of_4k_in_batches_of_tiles(small: Callable[..., Gaze]) -> None:
    tiled = gaze_tiles(small(), bytes_of(1, 3, 1, 1).expand(1, 3, 2016, 3584), Control(2), 224, 16)
    assert (tiled.rows, tiled.columns) == (9, 16)
    assert tiled.picks.counts.tolist() == [[2]] * 144


@pytest.mark.parametrize("size", [(28, 30), (27, 28), (14, 28), (1, 1)])
def test_frames_that_are_no_whole_number_of_tiles_are_refused(
    small: Callable[..., Gaze], size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]} pixels are no whole number of tiles"):
        gaze_tiles(small(), bytes_of(2, 3, *size), Control(1), 28, 2)


def test_more_than_one_clip_is_refused(small: Callable[..., Gaze]) -> None:
    with pytest.raises(ValueError, match="one clip"):
        gaze_tiles(small(), bytes_of(2, 1, 3, 28, 28), Control(1), 28, 2)
    with pytest.raises(ValueError, match=r"clips \[clips, frames, 3, height, width\]"):
        gaze_clips(small(), bytes_of(2, 3, 28, 28), Control(1), 28, 2)
    with pytest.raises(ValueError, match="at least one tile"):
        gaze_tiles(small(), bytes_of(1, 3, 28, 28), Control(1), 28, 0)
