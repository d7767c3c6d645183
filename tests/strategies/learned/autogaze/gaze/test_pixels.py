"""Preparing frames: against PIL, by hand, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from strategies.learned.autogaze.gaze.pixels import prepare, resize, restore


@pytest.mark.parametrize("size", [(448, 448), (97, 133), (30, 50), (1, 1)])
def test_resizing_is_that_of_pil_within_one_level(size: tuple[int, int]) -> None:
    frame = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = np.asarray(Image.fromarray(frame.numpy()).resize((112, 112), Image.Resampling.BILINEAR)).astype(int)
    found = resize(frame.movedim(-1, -3), 112, 112).movedim(0, -1).numpy().astype(int)
    assert abs(found - expected).max() <= 1


def test_normalised_twice() -> None:
    pixels = prepare(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), 4)
    assert pixels.shape == (1, 3, 4, 4)
    assert pixels[0, :, 0, 0].tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    black = prepare(torch.zeros(3, 4, 4, dtype=torch.uint8), 4)
    assert black[0, 0, 0].item() == pytest.approx((-1 - 0.485) / 0.229)


def test_both_layouts_and_the_way_back() -> None:
    frames = torch.randint(0, 256, (2, 5, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(restore(prepare(frames, 8)), frames)
    assert torch.equal(prepare(frames.movedim(2, -1), 8), prepare(frames, 8))


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(2, 8, 8, 3),
        torch.zeros(8, 8, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(4, 8, 8, dtype=torch.uint8),
    ],
)
def test_what_is_no_frame_is_refused(frames: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="frames must be bytes"):
        prepare(frames, 8)
