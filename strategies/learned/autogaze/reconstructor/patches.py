"""Frames to patches of every scale, and patches of the finest scale back to frames."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def cut(pixels: Tensor, scales: tuple[int, ...], patch: int, antialias: bool) -> Tensor:
    """Cuts frames into patches, [..., 3, S, S] -> [..., V, 3 * patch^2].

    Frames are resized (bicubic) to each scale and cut row by row. The columns of a patch: colour, pixel row, pixel
    column.
    """
    flat = pixels.reshape(-1, *pixels.shape[-3:])
    pieces = []
    for scale in scales:
        shrunk, grid = flat, scale // patch
        if flat.shape[-1] != scale:
            weights = resizing(flat.shape[-1], scale, antialias).to(flat)
            shrunk = weights @ flat @ weights.T
        cells = shrunk.reshape(len(flat), 3, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
        pieces.append(cells.reshape(len(flat), grid**2, 3 * patch**2))
    return torch.cat(pieces, 1).unflatten(0, pixels.shape[:-3])


def join(patches: Tensor, patch: int) -> Tensor:
    """Joins patches to frames, [..., G^2, patch^2 * 3] -> [..., 3, S, S].

    The columns of a patch: pixel row, pixel column, colour.
    """
    grid = round(patches.shape[-2] ** 0.5)
    cells = patches.reshape(-1, grid, grid, patch, patch, 3).permute(0, 5, 1, 3, 2, 4)
    return cells.reshape(*patches.shape[:-2], 3, grid * patch, grid * patch)


@lru_cache(32)
def resizing(before: int, after: int, antialias: bool) -> Tensor:
    """Returns the bicubic resizing of a line as a matrix f32 [after, before].

    It is several times faster than resizing frames.
    """
    line = torch.eye(before)[None, None]
    return interpolate(line, (after, before), mode="bicubic", antialias=antialias, align_corners=False)[0, 0]
