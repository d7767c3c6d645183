"""Patches against a plain numpy loop, the stock processor, and stored outputs of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from framework.video.preprocess import normalise, patchify, take
from framework.video.resize import resize, target_size

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def loop(pixels: np.ndarray, patch: int, merge: int) -> np.ndarray:
    """One patch after the other, as the layout is told in words."""
    ticks, _, _, height, width = pixels.shape
    rows = []
    for t in range(ticks):
        for top in range(0, height, patch * merge):
            for left in range(0, width, patch * merge):
                for y in range(top, top + patch * merge, patch):
                    for x in range(left, left + patch * merge, patch):
                        cut = pixels[t, :, :, y : y + patch, x : x + patch]  # [F, 3, patch, patch]
                        rows.append(np.concatenate([cut[:, colour].ravel() for colour in range(3)]))
    return np.stack(rows)


@pytest.mark.parametrize(("frames", "patch", "merge"), [(2, 14, 2), (1, 4, 2), (2, 3, 1)])
def test_patches_equal_a_plain_loop(frames: int, patch: int, merge: int) -> None:
    cell = patch * merge
    pixels = torch.arange(3 * frames * 3 * 2 * cell * 3 * cell).reshape(3, frames, 3, 2 * cell, 3 * cell).float()
    got = patchify(pixels, patch, merge)
    assert got.shape == (3 * 2 * 3 * merge**2, 3 * frames * patch * patch)
    np.testing.assert_array_equal(got.numpy(), loop(pixels.numpy(), patch, merge))


def test_how_pixels_lie_in_memory_changes_no_patch() -> None:
    """Colours last, as the decoder gives them: the same patches, bit by bit, kept ones too."""
    pixels = torch.randint(0, 256, (3, 2, 56, 84, 3), dtype=torch.uint8).permute(0, 1, 4, 2, 3)
    keep = torch.arange(18) % 3 == 1
    assert not pixels.is_contiguous()
    for kept in (None, keep):
        assert torch.equal(patchify(pixels, 14, 2, kept), patchify(pixels.contiguous(), 14, 2, kept))


def test_neighbouring_ticks_are_taken_without_a_copy() -> None:
    pixels = torch.arange(24).reshape(6, 2, 2)
    for wanted, copied in (([1, 2, 3], False), ([4], False), ([0, 2], True), ([0, 1, 3], True), ([], True)):
        ticks = torch.tensor(wanted, dtype=torch.long)
        taken = take(pixels, ticks)
        assert torch.equal(taken, pixels[ticks])
        assert (taken.untyped_storage().data_ptr() != pixels.untyped_storage().data_ptr()) == copied


def test_ticks_do_not_touch_each_other() -> None:
    pixels = torch.rand(3, 2, 3, 28, 56)
    torch.testing.assert_close(
        patchify(pixels, 14, 2), torch.cat([patchify(pixels[t : t + 1], 14, 2) for t in range(3)])
    )


def test_sizes_that_do_not_divide_are_named() -> None:
    with pytest.raises(ValueError, match="multiples of patch \\* merge = 28 pixels, got 28 x 40"):
        patchify(torch.zeros(1, 2, 3, 28, 40), 14, 2)


def test_normalise_by_hand() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    got = normalise(pixels, (0.5, 0.1, 0.2), (0.25, 0.5, 0.4)).flatten()
    torch.testing.assert_close(got, torch.tensor([-2.0, 0.2, 2.0]))
    with pytest.raises(ValueError, match="uint8"):
        normalise(torch.zeros(1, 3, 1, 1), MEAN, STD)


@pytest.mark.parametrize("name", ["small", "odd", "wide"])
def test_stored_outputs_of_the_stock_processor(data_folder: Path, name: str) -> None:
    stored = load_file(data_folder / "preprocess.safetensors")
    frame, grid = stored[f"{name}.frame"], stored[f"{name}.grid"].tolist()
    size = target_size(frame.shape[1], frame.shape[2], 28, 56 * 56, 84 * 84)
    assert size == (grid[0] * 14, grid[1] * 14)
    resized = resize(frame[None], size)  # u8 [1, 3, H, W]
    assert (resized[0].int() - stored[f"{name}.resized"].int()).abs().max() <= 2
    for pixels, allowed in (
        (stored[f"{name}.resized"][None], 1e-3),
        (resized, 0.03),
    ):  # stored as float16; 2 / 255 / .26
        got = patchify(normalise(pixels[None].expand(1, 2, -1, -1, -1), MEAN, STD), 14, 2)
        assert (got - stored[f"{name}.patches"].float()).abs().max() < allowed


def test_the_installed_stock_processor_per_frame() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 56, 84), dtype=np.uint8))
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": 784, "longest_edge": 10**6})
    mine = patchify(normalise(frames[:, None].expand(-1, 2, -1, -1, -1), MEAN, STD), 14, 2)
    stock = processor(images=[f.permute(1, 2, 0).numpy() for f in frames], return_tensors="pt")
    assert stock["image_grid_thw"].tolist() == [[1, 4, 6]] * 4
    torch.testing.assert_close(mine, stock["pixel_values"], atol=1e-5, rtol=0)
