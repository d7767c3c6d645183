"""What was last seen where: every pixel as the finest patch of the last frame that was picked over it shows it.

The lab's reconstructor learns what to add to this picture. It holds picked patches and nothing else of the frames: each
is blown up on its own. Pixels that were never seen are NaN until they are filled. Knows no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from framework.networks.gaze.vocabulary import Vocabulary

SMALL = 1e-6


def blown_up(patches: Tensor, vocabulary: Vocabulary, pixels: Tensor | None = None) -> list[Tensor]:
    """[R, 3, S, S] of every scale: its patches, of [R, V, 3 * patch^2], side by side over the whole frame.

    `pixels` [R, 3, S, S] are the patches of the finest scale, where they are at hand.
    """
    patch, side = vocabulary.patch, vocabulary.scales[-1]
    shown = []
    for grid, start in zip(vocabulary.grids, vocabulary.starts, strict=True):
        if grid * patch == side and pixels is not None:
            shown.append(pixels)
            continue
        cells = patches[:, start : start + grid**2].reshape(len(patches), grid, grid, 3, patch, patch)
        if grid * patch != side:
            weights = _weights(patch, side // grid).to(cells)
            cells = weights @ cells @ weights.T
        shown.append(cells.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), 3, side, side))
    return shown


def paint(
    canvas: Tensor, shown: Sequence[Tensor], picked: Tensor, vocabulary: Vocabulary, rows: Tensor | None = None
) -> Tensor:
    """The canvas [R, 3, S, S] with the patches picked (bool [R, V]) in one more frame, the finest on top.

    `shown` is `blown_up` of that frame, or of several of which sample r reads rows[r].
    """
    side = canvas.shape[-1]
    for number, (grid, start) in enumerate(zip(vocabulary.grids, vocabulary.starts, strict=True)):
        cells = picked[:, start : start + grid**2].unflatten(1, (1, grid, grid))
        if bool(cells.any()):
            where = cells.repeat_interleave(side // grid, 2).repeat_interleave(side // grid, 3)
            canvas = torch.where(where, shown[number] if rows is None else shown[number][rows], canvas)
    return canvas


def filled(canvas: Tensor) -> Tensor:
    """[..., 3, S, S] with colours from around where nothing was seen; mid-grey where nothing was seen at all.

    Means of ever larger squares, as far as they saw anything, are spread into what is empty below them ("pull-push",
    Gortler et al., The Lumigraph, 1996, section 3.4).
    """
    pixels = canvas.flatten(0, -4)
    levels = [torch.where(pixels.isnan(), 0.0, pixels)]
    weights = [(~pixels[:, :1].isnan()).to(pixels.dtype)]
    while levels[-1].shape[-1] > 1:
        window = 2 if levels[-1].shape[-1] % 2 == 0 else levels[-1].shape[-1]
        share = avg_pool2d(weights[-1], window)
        levels.append(avg_pool2d(levels[-1] * weights[-1], window) / share.clamp_min(SMALL))
        weights.append((share > 0).to(pixels.dtype))
    whole = levels.pop()
    weights.pop()
    for level, weight in zip(levels[::-1], weights[::-1], strict=True):
        around = interpolate(whole, level.shape[-2:], mode="bilinear")
        whole = torch.where(weight > 0, level, around)
    return whole.view_as(canvas)


@lru_cache(32)
def _weights(before: int, after: int) -> Tensor:
    """f32 [after, before]: bicubic resizing of a line as a matrix."""
    return interpolate(torch.eye(before)[None, None], (after, before), mode="bicubic", align_corners=False)[0, 0]
