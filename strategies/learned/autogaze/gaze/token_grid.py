"""Picks on tiles -> numbers on the cells of another grid over the same frame, such as a backbone's tokens.

Overlaps are exact areas, so the grids need not fit each other. With a tile for every `finest grid` x `finest grid`
cells they do: a finest patch is then one cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.pixels import resize
from strategies.learned.autogaze.gaze.tiling import Tiled, gaze_clips
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary, shares


def scores(tiled: Tiled, vocabulary: Vocabulary, rows: int, columns: int, most: int, eta: float) -> Tensor:
    """Scores the cells, f32 [T, rows, columns] within 0 .. 1, of frames with at most `most` picks in each tile.

    s(u) = max over picks of (1 - k / most) * o / a^eta. Here k is the pick's place among those of its tile and frame. o
    is the share of the cell that it covers, and a its own area in cells. A cell without a pick scores 0.
    """
    picks = tiled.picks
    worth = 1 - (picks.valid.cumsum(2) - 1).float() / most
    table = torch.zeros(*picks.ids.shape[:2], vocabulary.size + 1, device=picks.ids.device)
    table = table.scatter(2, picks.ids, worth.where(picks.valid, 0.0))  # [B, T, V + 1]
    best = torch.zeros(table.shape[1], rows, columns, device=table.device)
    for start, grid in zip(vocabulary.starts, vocabulary.grids, strict=True):
        patches = tiled.laid_out(table[:, :, start : start + grid**2].unflatten(2, (grid, grid)))  # [T, R g, C g]
        patches = patches / (rows * columns / patches[0].numel()) ** eta
        down, across = shares(patches.shape[1], rows).to(patches), shares(patches.shape[2], columns).to(patches)
        for frame, values in enumerate(patches):  # one at a time: of a large frame this is large
            sideways = (values[:, :, None] * across).amax(1)  # [R g, columns]
            best[frame] = torch.maximum(best[frame], (sideways[:, None] * down[:, :, None]).amax(0))
    return best


def coverage(tiled: Tiled, vocabulary: Vocabulary, rows: int, columns: int) -> Tensor:
    """Returns f32 [T, rows, columns]: the share of each cell that lies under a pick, of whatever scale.

    What two picks cover is counted once.
    """
    masks = tiled.masks(vocabulary)
    (down, within_row), (across, within_column) = (
        _strips([mask.shape[axis] for mask in masks], cells, masks[0].device)
        for axis, cells in ((1, rows), (2, columns))
    )
    covered = [mask[:, i][:, :, j] for mask, i, j in zip(masks, down, across, strict=True)]  # [T, strips, strips] each
    return torch.einsum("tij,ir,jc->trc", torch.stack(covered).any(0).float(), within_row, within_column)


def _strips(grids: list[int], cells: int, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """A line, cut wherever one of `grids` or the cells cut it into equal pieces.

    For each grid the piece that each strip lies in, i64 [S]; and f32 [S, cells], the share of each cell that it is.
    """
    unit = lcm(cells, *grids)
    cuts = sorted({piece * unit // grid for grid in (*grids, cells) for piece in range(grid + 1)})
    begin, end = torch.tensor(cuts[:-1], device=device), torch.tensor(cuts[1:], device=device)
    share = torch.zeros(len(begin), cells, device=device)
    share[torch.arange(len(begin)), begin * cells // unit] = ((end - begin).double() * cells / unit).float()
    return [begin * grid // unit for grid in grids], share


@dataclass(frozen=True)
class Seen:
    """Holds what a gaze saw of a clip of T frames, on a grid of cells."""

    scores: Tensor  # f32 [T, rows, columns]
    coverage: Tensor  # f32 [T, rows, columns]
    picks: int  # patches picked, in all frames and tiles


@dataclass(frozen=True)
class Canvas:
    """Describes frames of `cells` (rows, columns) of `pixels` (height, width) each.

    It also says which tiles a gaze cuts them into.
    """

    cells: tuple[int, int]
    pixels: tuple[int, int]
    grid: int  # cells along a side of a tile: the finest grid of the gaze

    @property
    def tiles(self) -> tuple[int, int]:
        """Returns rows and columns of tiles: the nearest whole numbers, to which frames are resized."""
        return max(1, round(self.cells[0] / self.grid)), max(1, round(self.cells[1] / self.grid))

    def look(self, gaze: Gaze, clips: Tensor, control: Control, most: int, eta: float, batch: int) -> list[Seen]:
        """Picks patches of clips u8 [C, T, 3, H, W], `batch` tiles at a time; returns what was seen of each.

        See `scores` for `most` and `eta`. Pixels beyond the last whole cell are left out.
        """
        clips = clips[..., : self.cells[0] * self.pixels[0], : self.cells[1] * self.pixels[1]]
        side = self.grid * max(self.pixels)
        rows, columns = self.tiles
        together = max(1, batch // (rows * columns))  # clips: large ones are never resized all at once
        return [
            Seen(
                scores(tiled, gaze.vocabulary, *self.cells, most, eta),
                coverage(tiled, gaze.vocabulary, *self.cells),
                int(tiled.picks.valid.sum()),
            )
            for some in clips.split(together)
            for tiled in gaze_clips(gaze, resize(some, rows * side, columns * side), control, side, batch)
        ]
