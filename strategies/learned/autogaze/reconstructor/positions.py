"""Where a patch lies, as vectors: sine and cosine tables of one grid, carried over to the grids of all scales.

Source: masked autoencoders (arXiv 2111.06377) and their published code; AutoGaze (arXiv 2603.12254).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

LONGEST = 10_000.0


def sines(width: int, grid: int) -> Tensor:
    """Returns a table of positions, f32 [1, 1 + grid^2, width].

    The class token has zeros. Half of the width tells the column, half the row.
    """
    frequencies = LONGEST ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], 1)  # [grid, width / 2]
    cells = torch.cat([line.repeat(grid, 1), line.repeat_interleave(grid, 0)], 1)
    return torch.cat([torch.zeros(1, width, dtype=torch.float64), cells])[None].float()


def every_scale(table: Tensor, grids: tuple[int, ...], flat: bool) -> Tensor:
    """Returns positions [V, D] for the patches of all scales, from a table [1, 1 + G^2, D] of one grid.

    The class token of the table is left out. Positions are resized (bicubic) over rows and columns, or with `flat`
    along the flattened grid. That mixes up the places, but is what the published decoder was trained with (a slip of
    transformers' masked autoencoder).
    """
    cells = table[0, 1:]
    grid = round(len(cells) ** 0.5)
    pieces = []
    for wanted in grids:
        if wanted == grid:
            pieces.append(cells)
        elif flat:
            line = cells.T[None, :, None]  # [1, D, 1, G^2]
            pieces.append(interpolate(line, (1, wanted**2), mode="bicubic")[0, :, 0].T)
        else:
            square = cells.T.reshape(1, -1, grid, grid)
            pieces.append(interpolate(square, (wanted, wanted), mode="bicubic")[0].flatten(1).T)
    return torch.cat(pieces)
