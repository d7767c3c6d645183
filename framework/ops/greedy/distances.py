"""How badly one token stands for another: in pixels, before any model, or in features. Knows no order and no budget.

pixels     mean |x - y| over the numbers of two cells, on the scale 0..1
features   1 - cos(x, y), 0..2; rounded, because float noise would tell duplicates apart
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

SPACES = ("pixels", "features")
DECIMALS = 5  # of a cosine


def proxies(pixels: Tensor, cell_pixels: tuple[int, int], side: int) -> Tensor:
    """Shrinks cells to side x side by area.

    u8 [Tg, F, 3, H, W] -> f32 [Tg, rows, columns, F * 3 * side * side], 0..1. Pixels beyond the last whole cell are
    left out. Cells need not be a multiple of `side`: windows then overlap by one pixel, and never leave their cell.
    """
    height, width = cell_pixels
    rows, columns = pixels.shape[-2] // height, pixels.shape[-1] // width
    small = []
    for tick in pixels[..., : rows * height, : columns * width]:  # [F, 3, H, W]: the float copy of a group is large
        pooled = adaptive_avg_pool2d(tick.float() / 255, (rows * side, columns * side))
        cells = pooled.unflatten(-1, (columns, side)).unflatten(-3, (rows, side))  # [F, 3, rows, side, columns, side]
        small.append(cells.permute(2, 4, 0, 1, 3, 5).flatten(2))
    return torch.stack(small)


def prepare(vectors: Tensor, space: str) -> Tensor:
    """Prepares `vectors` [N, D] for `between`, as f32: features get length 1, zero stays zero."""
    return normalize(vectors.float(), dim=-1) if space == "features" else vectors.float()


def between(ours: Tensor, theirs: Tensor, space: str) -> Tensor:
    """Returns the distances f32 [..., n, m] between prepared vectors [..., n, D] and [..., m, D]."""
    if space == "features":
        return (1 - ours @ theirs.transpose(-1, -2)).round(decimals=DECIMALS).clamp_min(0.0)
    return torch.cdist(ours, theirs, p=1.0) / ours.shape[-1]
