"""Pixels to patches as the stock image processor does it, and oracle tokens by hand."""

from __future__ import annotations

import numpy as np
import torch
from transformers import Qwen2VLImageProcessorPil

from framework.lab.model import preprocessor_config
from framework.lab.training.forward import oracle_tokens, patches


def test_patches_equal_the_stock_processor() -> None:
    """The processor repeats a single image along time, so a tick of two equal frames must give the same rows."""
    kept = {
        k: v for k, v in preprocessor_config().items() if k not in ("image_processor_type", "min_pixels", "max_pixels")
    }
    processor = Qwen2VLImageProcessorPil(**kept, size={"shortest_edge": 56 * 56, "longest_edge": 56 * 56})
    frames = np.random.default_rng(0).integers(0, 256, (3, 56, 56, 3), dtype=np.uint8)
    stock = [processor(images=[frame], return_tensors="pt")["pixel_values"] for frame in frames]
    ours = patches(torch.from_numpy(np.repeat(frames, 2, axis=0))[None])
    assert torch.allclose(ours, torch.cat(stock), atol=1e-5)


def test_the_two_frames_of_a_tick_lie_apart() -> None:
    frames = torch.zeros(1, 2, 56, 56, 3, dtype=torch.uint8)
    frames[:, 1] = 255
    row = patches(frames)[0].reshape(3, 2, 14, 14)
    assert (row[:, 0] < 0).all() and (row[:, 1] > 0).all()


def test_oracle_tokens_by_hand() -> None:
    rows = torch.eye(18)
    objects = torch.tensor([[2, 3, 1], [-1, -1, -1]])
    tokens = oracle_tokens(rows, objects)
    assert tokens[0].nonzero().flatten().tolist() == [2, 8 + 3, 16 + 1]
    assert not tokens[1].any()
