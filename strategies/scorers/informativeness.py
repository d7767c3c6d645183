"""Scores a token by the Shannon entropy of its own content: texture and text before flat sky and black bars.

    score = -sum_b p_b ln p_b,   p = histogram of the grey levels of the cell's pixels in all frames of the tick

In nats, 0..ln(bins), so comparable across the video, whatever the question. Grey is the mean of the three channels.
Runs on pixels alone, before the vision tower.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from framework.ops.certainty import entropy


@dataclass(frozen=True)
class Informativeness(TokenScorer):
    """Scores each token by the entropy of its cell's grey-level histogram, in nats.

    Scores are f32 [N], comparable across groups.
    """

    bins: int

    comparable = True
    blind = True
    before_tower = True

    def __post_init__(self) -> None:
        if not 2 <= self.bins <= 256:
            raise ValueError(f"scorer.bins must be 2..256 grey-level bins, got {self.bins}")

    @property
    def needs(self) -> Needs:
        """Asks for pixels."""
        return Needs(pixels=True)

    def score(self, view: GroupView) -> Scores:
        """Returns the entropy of each token's cell."""
        layout = view.layout
        by_tick = torch.stack([self._entropies(frames, layout.cell_pixels) for frames in view.frames.pixels]).cpu()
        place = torch.searchsorted(view.group.ticks.cpu(), layout.tick.cpu())
        return Scores(by_tick[place, layout.row.cpu(), layout.column.cpu()])

    def _entropies(self, frames: Tensor, cell: tuple[int, int]) -> Tensor:
        """u8 [F, 3, H, W] -> f32 [rows, columns]."""
        rows, columns = frames.shape[-2] // cell[0], frames.shape[-1] // cell[1]
        grey = frames[..., : rows * cell[0], : columns * cell[1]].long().sum(1)  # [F, H, W] in 0..765
        row = torch.arange(rows, device=grey.device).repeat_interleave(cell[0])
        column = torch.arange(columns, device=grey.device).repeat_interleave(cell[1])
        code = (row[:, None] * columns + column) * self.bins + grey * self.bins // 766  # [F, H, W]: cell, then bin
        counts = torch.bincount(code.flatten(), minlength=rows * columns * self.bins).view(rows, columns, self.bins)
        return entropy(counts / counts.sum(-1, keepdim=True))
