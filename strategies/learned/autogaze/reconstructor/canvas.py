"""What was last seen where: each pixel comes from the last frame with a pick over it, from the finest such patch.

The lab's reconstructor shows this picture and learns what to put where nothing was ever seen, which is NaN here. The
picture holds picked patches and nothing else of the frames: each is enlarged on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor.patches import resizing


def enlarge(patches: Tensor, vocabulary: Vocabulary, pixels: Tensor | None = None) -> list[Tensor]:
    """Renders every scale as [R, 3, S, S]: its patches, of [R, V, 3 * patch^2], side by side over the whole frame.

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
            weights = resizing(patch, side // grid, False).to(cells)
            cells = weights @ cells @ weights.T
        shown.append(cells.permute(0, 3, 1, 4, 2, 5).reshape(len(patches), 3, side, side))
    return shown


def paint(
    canvas: Tensor, shown: Sequence[Tensor], picked: Tensor, vocabulary: Vocabulary, rows: Tensor | None = None
) -> Tensor:
    """Returns the canvas [R, 3, S, S] with the patches picked (bool [R, V]) in one more frame, the finest on top.

    `shown` is what `enlarge` made of that frame, or of several frames of which sample r reads rows[r].
    """
    side = canvas.shape[-1]
    for number, (grid, start) in enumerate(zip(vocabulary.grids, vocabulary.starts, strict=True)):
        cells = picked[:, start : start + grid**2].unflatten(1, (1, grid, grid))
        if bool(cells.any()):
            where = cells.repeat_interleave(side // grid, 2).repeat_interleave(side // grid, 3)
            canvas = torch.where(where, shown[number] if rows is None else shown[number][rows], canvas)
    return canvas
