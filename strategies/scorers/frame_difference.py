"""Scores a token by how much its cell changed since the previous tick of the group: motion and cuts first.

    score[tick, cell] = mean |pixels[tick] - pixels[tick - 1]| over the cell's frames, channels and pixels, in 0..255

The first tick has no predecessor and gets the difference to the next one; a group of one tick scores 0. In an
interleaved group the previous tick lies one group stride back. Runs on pixels alone, before the vision tower.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs


@dataclass(frozen=True)
class FrameDifference(TokenScorer):
    """Scores each token by how much its cell changed since the previous tick of the group.

    The score is the mean absolute difference of pixel values (0..255): f32 [N], comparable across groups.
    """

    comparable = True
    blind = True
    before_tower = True

    @property
    def needs(self) -> Needs:
        """Asks for pixels."""
        return Needs(pixels=True)

    def score(self, view: GroupView) -> Scores:
        """Returns the change of each token's cell."""
        pixels, layout = view.frames.pixels, view.layout  # [Tg, F, 3, H, W]
        height, width = layout.cell_pixels
        rows, columns = pixels.shape[-2] // height, pixels.shape[-1] // width
        change = torch.zeros(len(pixels), rows, columns)  # [Tg, rows, columns]
        for tick in range(1, len(pixels)):  # one tick at a time: the float copy of a group would be large
            difference = (pixels[tick].short() - pixels[tick - 1].short()).abs().float().mean((0, 1))  # [H, W]
            cells = difference[: rows * height, : columns * width].reshape(rows, height, columns, width)
            change[tick] = cells.mean((1, 3))
        if len(pixels) > 1:
            change[0] = change[1]
        place = torch.searchsorted(view.group.ticks.cpu(), layout.tick.cpu())
        return Scores(change[place, layout.row.cpu(), layout.column.cpu()])
