"""The size rule of Qwen2-VL pictures, and bicubic resizing in torch. Knows no file and no model.

Source of the rule: Qwen2-VL (arXiv 2409.12191), section 2.1, native resolution. The reference for both is the stock
`Qwen2VLImageProcessorPil` of transformers, which resizes with Pillow: tests/framework/video/test_resize.py holds the
distance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_ASPECT = 200


def target_size(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Returns the height and width in pixels to resize to: multiples of `factor` near the old ones.

    The area lies within the bounds, and the aspect stays the same. Where both bounds cannot hold, e.g. in a picture
    narrower than `factor`, each side is `factor` at least.

    Raises ValueError for an empty picture, for impossible bounds, and where one side is more than 200 times the other.
    """
    if height < 1 or width < 1:
        raise ValueError(f"expected a picture with pixels, got {height} x {width}")
    if not 0 < min_pixels <= max_pixels:
        raise ValueError(f"expected 0 < min_pixels <= max_pixels, got {min_pixels} and {max_pixels}")
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise ValueError(f"a picture of {height} x {width} pixels: one side is more than {MAX_ASPECT} times the other")
    sides = [max(factor, round(side / factor) * factor) for side in (height, width)]
    area = sides[0] * sides[1]
    if area > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        sides = [max(factor, math.floor(side / shrink / factor) * factor) for side in (height, width)]
    elif area < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        sides = [math.ceil(side * grow / factor) * factor for side in (height, width)]
    return sides[0], sides[1]


def resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes with bicubic antialiasing, as Pillow does it: u8 [n, 3, H, W] -> u8 [n, 3, height, width].

    On real clips, where the aspect is kept, values are at most 2 of 255 from Pillow's. Under 0.5 % of them differ, or
    2.4 % when shrunk by three. Where one side grows and the other shrinks, single values differ by up to 12, because
    bytes are cut off between the two passes.
    """
    if tuple(pixels.shape[-2:]) == tuple(size):
        return pixels
    return torch.nn.functional.interpolate(pixels, size=size, mode="bicubic", antialias=True)
