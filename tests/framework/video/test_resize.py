"""The size rule by hand and by its properties; bicubic against Pillow."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framework.video.resize import resize, target_size


@pytest.mark.parametrize(
    ("height", "width", "bounds", "expected"),
    [
        (56, 56, (3136, 3136), (56, 56)),
        (720, 1280, (100352, 172480), (308, 532)),  # shrink by sqrt(921600 / 172480) = 2.3116: 311.5 and 553.7, floored
        (270, 480, (100352, 172480), (280, 476)),  # 270 / 28 = 9.64, 480 / 28 = 17.14
        (30, 40, (12544, 50000), (112, 140)),  # grow by sqrt(12544 / 1200) = 3.2332: 97.0 and 129.3, ceiled
        (42, 70, (784, 10**6), (56, 56)),  # 1.5 and 2.5 round to even
    ],
)
def test_sizes_computed_by_hand(height: int, width: int, bounds: tuple[int, int], expected: tuple[int, int]) -> None:
    assert target_size(height, width, 28, *bounds) == expected


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 3000), width=st.integers(1, 3000), low=st.integers(1, 300), high=st.integers(400, 3000))
def test_sizes_are_what_the_stock_rule_says(height: int, width: int, low: int, high: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    bounds = (low * 784, high * 784)
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(ValueError, match="200 times"):
            target_size(height, width, 28, *bounds)
        return
    got = target_size(height, width, 28, *bounds)
    assert got[0] % 28 == got[1] % 28 == 0
    assert min(got) >= 28
    if min(height, width) >= 28:
        assert got == tuple(smart_resize(height, width, 28, *bounds))
    if max(height, width) < 20 * min(height, width):
        assert bounds[0] <= got[0] * got[1] <= bounds[1]


def test_impossible_bounds_are_named() -> None:
    with pytest.raises(ValueError, match="min_pixels <= max_pixels, got 10 and 5"):
        target_size(56, 56, 28, 10, 5)


@pytest.mark.parametrize("name", ["nasa_13013.mp4", "flipping_a_pancake.mkv", "autogaze_example.mp4"])
@pytest.mark.parametrize("pixels", [20_000, 120_000, 172_480, 400_000])
def test_bicubic_is_pillows_within_two(clips: Callable[[str], str], name: str, pixels: int) -> None:
    with av.open(clips(name)) as container:
        picture = next(container.decode(container.streams.best("video"))).to_image()
    size = target_size(picture.height, picture.width, 28, pixels * 3 // 4, pixels)
    expected = np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)
    array = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    for layout in (array, array.contiguous()):  # colours last in memory, and first
        off = np.abs(resize(layout, size)[0].permute(1, 2, 0).numpy() - expected)
        assert off.max() <= 2
        assert (off > 0).mean() < 0.03


def test_the_right_size_is_left_alone() -> None:
    pixels = torch.zeros(2, 3, 56, 84, dtype=torch.uint8)
    assert resize(pixels, (56, 84)) is pixels
