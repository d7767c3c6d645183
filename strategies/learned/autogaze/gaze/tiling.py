"""Large frames: cut into square tiles, each gazed at on its own, batch after batch. Any number of rows and columns.

A tile is resized to the side that the gaze reads. Picks stay with their tile, in their order and with their predicted
losses, so nothing is made up at the borders.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.decoding import gaze_clip, score_picks
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import channels_first, prepare
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


@dataclass(frozen=True)
class Tiled:
    """Holds the picks of rows * columns tiles, row by row, as if each were a video."""

    picks: Picks  # B = rows * columns
    rows: int
    columns: int

    def masks(self, vocabulary: Vocabulary) -> list[Tensor]:
        """Returns one bool [T, rows * g, columns * g] per scale: the patches picked on the whole frame."""
        return [self.laid_out(mask) for mask in vocabulary.masks(self.picks.ids)]

    def laid_out(self, cells: Tensor) -> Tensor:
        """Joins the tiles: [rows * columns, T, h, w] of the tiles -> [T, rows * h, columns * w] of the frame."""
        grid = cells.unflatten(0, (self.rows, self.columns))  # [R, C, T, h, w]
        return grid.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)


def tiles(frames: Tensor, side: int) -> tuple[int, int]:
    """Counts the (rows, columns) of tiles of `side` pixels in u8 [T, 3, H, W].

    Raises ValueError where they do not fit exactly.
    """
    height, width = frames.shape[-2:]
    if side < 1 or height < side or width < side or height % side or width % side:
        raise ValueError(
            f"frames of {height} x {width} pixels are no whole number of tiles of {side} x {side}: resize them, or "
            "choose another tile"
        )
    return height // side, width // side


def cut(frames: Tensor, side: int) -> Tensor:
    """Cuts frames [T, 3, H, W] into tiles [rows * columns, T, 3, side, side], row by row.

    Raises ValueError as `tiles` does.
    """
    rows, columns = tiles(frames, side)
    return frames.unflatten(3, (columns, side)).unflatten(2, (rows, side)).permute(2, 4, 0, 1, 3, 5).flatten(0, 1)


def gaze_tiles(
    gaze: Gaze,
    frames: Tensor,
    control: Control,
    side: int,
    batch: int,
    predictions: bool = False,
) -> Tiled:
    """Picks patches of a clip u8 [T, 3, H, W] or [T, H, W, 3], `batch` tiles of `side` pixels at a time.

    `predictions` adds the loss predicted after each pick. Otherwise see `gaze_clips`, as for errors.
    """
    if frames.ndim != 4:
        raise ValueError(f"one clip [frames, 3, height, width] is needed, got {list(frames.shape)}")
    return gaze_clips(gaze, frames[None], control, side, batch, predictions)[0]


def gaze_clips(
    gaze: Gaze,
    clips: Tensor,
    control: Control,
    side: int,
    batch: int,
    predictions: bool = False,
) -> list[Tiled]:
    """Picks patches of clips u8 [C, T, 3, H, W] or [C, T, H, W, 3], `batch` tiles at a time; one result per clip.

    A tile of a clip is a video of `control`, clip by clip. In the contiguous mode the picks do not depend on `batch`,
    unless they are drawn at random. In the official mode they do, so clips are never mixed. Raises ValueError where
    tiles do not fit the frames exactly, or `batch` is below 1.
    """
    clips = channels_first(clips)
    if clips.ndim != 5 or batch < 1:
        raise ValueError(
            f"clips [clips, frames, 3, height, width] and batches of at least one tile are needed, got "
            f"{list(clips.shape)} and {batch}"
        )
    rows, columns = tiles(clips[0], side)
    each = rows * columns
    whole = each if control.rope_mode == "official" else each * len(clips)  # videos that may be batched
    found = []
    for start in range(0, each * len(clips), whole):
        for first in range(start, start + whole, batch):
            last = min(first + batch, start + whole)
            some = [_tile(clips[n // each], n % each // columns, n % columns, side) for n in range(first, last)]
            pixels = torch.stack([prepare(tile.to(gaze.device), gaze.config.side) for tile in some])
            picks = gaze_clip(gaze, pixels, control.of(slice(first, last)))
            found.append(score_picks(gaze, pixels, picks, control.sampling) if predictions else picks)
    return [Tiled(picks, rows, columns) for picks in Picks.joined(found, gaze.vocabulary).split(each)]


def _tile(frames: Tensor, row: int, column: int, side: int) -> Tensor:
    return frames[:, :, row * side : (row + 1) * side, column * side : (column + 1) * side]
