"""Pixels to the numbers a Qwen2-VL vision tower reads. Knows no file, no time and no weights.

Source: Qwen2-VL (arXiv 2409.12191), section 2.1: a patch spans two frames, and merge x merge neighbouring patches,
which become one token, stand next to each other. The stock `Qwen2VLImageProcessorPil` of transformers is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Computes (pixels / 255 - mean) / std per colour: u8 [..., 3, H, W] -> f32 [..., 3, H, W].

    Raises ValueError for pixels that are not uint8.
    """
    if pixels.dtype != torch.uint8:
        raise ValueError(f"expected pixels 0..255 as uint8, got {pixels.dtype}")
    shift = torch.tensor(mean, device=pixels.device, dtype=torch.float32)[:, None, None]  # [3, 1, 1]
    scale = torch.tensor(std, device=pixels.device, dtype=torch.float32)[:, None, None]
    return (pixels.float() - 255 * shift) / (255 * scale)


def take(pixels: Tensor, ticks: Tensor) -> Tensor:
    """Takes `ticks` (i64, ascending) of [Tg, ...]: a view where they are neighbours, and else a copy."""
    first, count = int(ticks[0]) if len(ticks) else 0, len(ticks)
    if count and int(ticks[-1]) - first == count - 1:
        return pixels[first : first + count]
    return pixels[ticks]


def patchify(pixels: Tensor, patch: int, merge: int, keep: Tensor | None = None) -> Tensor:
    """Cuts ticks into patches: [Tg, F, 3, H, W] -> [Tg * (H / patch) * (W / patch), 3 * F * patch * patch].

    Rows: tick, then cells of merge x merge patches in reading order, then the patches of a cell in reading order.
    Columns: colour, frame, pixel row, pixel column. `keep` (bool, one per cell): the rows of these cells only.
    """
    frames, colours, height, width = pixels.shape[1:]
    cell = patch * merge
    if height % cell or width % cell:
        raise ValueError(f"height and width must be multiples of patch * merge = {cell} pixels, got {height} x {width}")
    split = pixels.unflatten(3, (height // cell, merge, patch)).unflatten(6, (width // cell, merge, patch))
    # ticks, frames, colours, cell row, patch row, pixel row, cell column, patch column, pixel column
    ordered = split.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    if keep is not None:
        ordered = ordered[keep.view(ordered.shape[:3])]  # [kept cells, patch row, ...]
    return ordered.reshape(-1, colours * frames * patch * patch)
