"""Frames to patches and back, against plain slicing and resizing."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from strategies.learned.autogaze.reconstructor.patches import cut, join


@pytest.mark.parametrize("antialias", [False, True])
def test_every_patch(antialias: bool) -> None:
    pixels = torch.randn(2, 3, 24, 24)
    found = cut(pixels[:, None], (8, 16, 24), 4, antialias)
    assert found.shape == (2, 1, 4 + 16 + 36, 48)
    start = 0
    for scale in (8, 16, 24):
        frame = interpolate(pixels, (scale, scale), mode="bicubic", antialias=antialias) if scale < 24 else pixels
        grid = scale // 4
        for row in range(grid):
            for column in range(grid):
                piece = frame[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
                assert torch.allclose(found[:, 0, start + row * grid + column], piece.flatten(1), atol=1e-5)
        start += grid**2


def test_joined_by_hand() -> None:
    patches = torch.arange(4 * 12.0).view(1, 4, 12)  # 2 x 2 patches of 2 x 2 pixels: pixel row, pixel column, colour
    image = join(patches, 2)
    assert image.shape == (1, 3, 4, 4)
    assert image[0, :, 0, 0].tolist() == [0, 1, 2] and image[0, :, 1, 0].tolist() == [6, 7, 8]
    assert image[0, 0].tolist() == [[0, 3, 12, 15], [6, 9, 18, 21], [24, 27, 36, 39], [30, 33, 42, 45]]
