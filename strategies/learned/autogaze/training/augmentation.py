"""Turns or mirrors a clip, and its picks with it: one label serves up to eight clips.

Losses stay as they were. This holds as far as the reconstructor treats left and right alike, as its training clips do.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary

Symmetry = Literal["none", "mirror", "square"]  # square: all eight turns and mirrorings
COUNTS = {"none": 1, "mirror": 2, "square": 8}


def move(plane: Tensor, nth: int) -> Tensor:
    """Returns `plane` [.., S, S] in its nth position of eight: mirrored where n is odd, then n // 2 quarter turns."""
    plane = plane.flip(-1) if nth % 2 else plane
    return plane.rot90(nth // 2, (-2, -1))


def id_table(vocabulary: Vocabulary) -> Tensor:
    """Returns the new id of every id, `eos` included, in each position: i64 [8, V + 1]."""
    table = torch.empty(8, vocabulary.size + 1, dtype=torch.long)
    table[:, vocabulary.eos] = vocabulary.eos
    for nth in range(8):
        for grid, start in zip(vocabulary.grids, vocabulary.starts, strict=True):
            old = start + torch.arange(grid**2).view(grid, grid)
            table[nth, move(old, nth).flatten()] = start + torch.arange(grid**2)
    return table
