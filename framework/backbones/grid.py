"""What vision towers of video models share: every tick is a grid of rows x columns cells, and a cell becomes a token.

A family says how large frames are, how large a cell is, and how its tower encodes the kept cells of some ticks. Knows
no language model.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from framework.backbones.base import DecoderBackbone
from framework.backbones.loading import KEY
from framework.core.types import Frames, Layout, Tokens
from framework.video.preprocess import take
from framework.video.resize import target_size

PATCHES_PER_PASS = 2**14  # of the vision tower: 77 MB of fp32 pixels


class VideoGrid(DecoderBackbone):
    """Defines an adapter whose tower encodes every tick alone, so that encoding in pieces is exact."""

    cell: tuple[int, int]  # height and width in pixels of what becomes a token
    patches_per_cell: int  # of the tower

    @abstractmethod
    def _tower(self, pixels: Tensor, keep: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Encodes u8 [Tg, F, 3, H, W] where `keep` (bool [Tg, N / Tg]) says so: ([K, D], extra of the K tokens).

        The pixels may lie anywhere. With K = 0 there is the same extra, with no rows.
        """

    def layout(self, ticks: Tensor, height: int, width: int) -> Layout:
        """Returns the layout of the tokens of `ticks` (i64 [Tg]): tick by tick, row by row.

        `height` and `width` are those of the resized frames, in pixels.
        """
        rows, columns = self.cells(height, width)
        grid = torch.cartesian_prod(ticks.long(), torch.arange(rows), torch.arange(columns)).T.contiguous()  # [3, N]
        return Layout(grid[0], grid[1], grid[2], self.cell)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Returns the rows and columns of cells in a resized frame; what is left at its edges is never seen."""
        return height // self.cell[0], width // self.cell[1]

    @torch.no_grad()
    def encode(self, frames: Frames, layout: Layout, keep: Tensor | None = None) -> Tokens:
        """Encodes `frames` to tokens; `keep` (bool [N]) drops all others, before the tower where the family can.

        Kept tokens do not see dropped ones then, so they differ from those of a dense pass. If nothing is kept, there
        are no tokens. Raises ValueError where `layout` does not fit the frames, or where `keep` is not bool [N].
        """
        rows, columns = self.cells(*frames.pixels.shape[-2:])
        if len(layout) != len(frames.pixels) * rows * columns:
            raise ValueError(
                f"the layout has {len(layout)} tokens, the frames make {len(frames.pixels)} x {rows} x {columns}"
            )
        keep = torch.ones(len(layout), dtype=torch.bool) if keep is None else keep.cpu()
        if keep.shape != layout.tick.shape or keep.dtype != torch.bool:
            raise ValueError(f"keep must be bool [{len(layout)}], one per token; got {keep.dtype} {list(keep.shape)}")
        per_tick = keep.view(-1, rows * columns)  # bool [Tg, N / Tg]
        parts = [self._tower(take(frames.pixels, ticks), per_tick[ticks]) for ticks in self._passes(per_tick)]
        kept = layout[keep]
        return Tokens(
            embeddings=torch.cat([embeddings for embeddings, _ in parts]),
            tick=kept.tick,
            row=kept.row,
            column=kept.column,
            seconds=frames.seconds.repeat_interleave(rows * columns)[keep],
            extra={name: torch.cat([extra[name] for _, extra in parts]) for name in parts[0][1]},
        ).to(self.home)  # where probes are, too

    def _passes(self, keep: Tensor) -> list[Tensor]:
        """The ticks with a kept token, bool [Tg, N / Tg] -> i64 pieces of about PATCHES_PER_PASS kept patches."""
        ticks = keep.any(1).nonzero()[:, 0]
        most = keep.shape[1] * self.patches_per_cell
        patches = keep[ticks].sum(1) * self.patches_per_cell
        load = patches.clamp(min=most // 8).cumsum(0)  # pixels of dropped cells take room, too, but no fp32
        sizes = ((load - 1) // PATCHES_PER_PASS).unique_consecutive(return_counts=True)[1]
        return list(ticks.split(sizes.tolist())) or [ticks]


class Limits(NamedTuple):
    """Holds what bounds the area of a resized frame, in pixels."""

    least: int
    most: int
    total: int | None  # of all frames of a video, a tick counted once

    def frame_size(self, height: int, width: int, cell: int, frames: int, frames_per_tick: int) -> tuple[int, int]:
        """Returns the height and width of each of `frames` frames; the rule is that of `NativeGrid`."""
        if self.total is None:
            return target_size(height, width, cell, self.least, self.most)
        most = min(self.most, int(max(self.total * frames_per_tick / frames, 1.05 * self.least)))
        return target_size(height, width, cell, min(self.least, most), most)


def check_cell(min_pixels: int, side: int) -> None:
    """Checks that the smallest frame holds a cell of `side` pixels. Raises ValueError that names the key."""
    if min_pixels < side**2:
        raise ValueError(
            f"{KEY}.min_pixels must be at least a cell of {side} x {side} = {side**2} pixels; got {min_pixels}"
        )


class NativeGrid(VideoGrid):
    """Defines an adapter that keeps the aspect of frames: as many cells as fit between two areas.

    Its tokens carry `extent`, the longer side of the full grid in cells: ids after a tick may count on from there.
    """

    min_pixels: int  # of a resized frame
    max_pixels: int
    total_pixels: int | None  # of all frames of a video, a tick counted once

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width in pixels after resizing.

        Both are multiples of a token's cell, and their area lies within min_pixels..max_pixels (see `target_size`).
        """
        return target_size(height, width, self.cell[0], self.min_pixels, self.max_pixels)

    def video_frame_size(self, height: int, width: int, frames: int) -> tuple[int, int]:
        """Returns the height and width in pixels after resizing, of each of `frames` frames of one video.

        With `total_pixels` they share that: a frame's part is total_pixels x frames_per_tick / frames, for a tick
        counts once. The part is at least 1.05 x min_pixels and at most max_pixels (as in qwen-vl-utils).
        """
        limits = Limits(self.min_pixels, self.max_pixels, self.total_pixels)
        return limits.frame_size(height, width, self.cell[0], frames, self.frames_per_tick)

    @torch.no_grad()
    def encode(self, frames: Frames, layout: Layout, keep: Tensor | None = None) -> Tokens:
        """Encodes `frames` to tokens as `VideoGrid` does, and says how far the full grid reaches."""
        tokens = super().encode(frames, layout, keep)
        extent = torch.full((len(tokens),), max(self.cells(*frames.pixels.shape[-2:])))
        return replace(tokens, extra={**tokens.extra, "extent": extent.to(tokens.tick.device)})
