"""Films for benches of decoding: H.264, with moving shapes under noise, so that packets are as large as real ones."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

DIFFERENT = 8  # fields of noise; they take turns, each moved by some pixels
KEY_FRAMES = 250  # at most so many frames apart: x264's default


def render(path: Path, height: int, width: int, seconds: float, fps: int, noise: float, seed: int) -> int:
    """Writes a film with B-frames, as x264 makes them by default. Returns how many frames it has.

    `noise` is the standard deviation of a pixel, on the scale 0..255.
    """
    total = round(seconds * fps)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "g": str(KEY_FRAMES)}
        for picture in _pictures(total, height, width, noise, seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode(None))
    return total


def _pictures(total: int, height: int, width: int, noise: float, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures as yuv420p, u8 [height x 3 / 2, width]: a slow ramp, a field of blocks that drifts, and noise."""
    dice = np.random.default_rng(seed)
    fields = noise * dice.standard_normal((DIFFERENT, height, width), dtype=np.float32)
    ramp = np.add.outer(np.linspace(40, 120, height), np.linspace(0, 60, width)).astype(np.float32)
    blocks = np.kron(dice.integers(0, 60, (height // 40 + 1, width // 40 + 1)), np.ones((40, 40)))[:height, :width]
    blocks = blocks.astype(np.float32)
    colours = np.full((height // 2, width), 128, np.uint8)
    for number in range(total):
        moved = np.roll(blocks, (number, 3 * number), (0, 1))
        grain = np.roll(fields[number % DIFFERENT], 17 * (number // DIFFERENT), 1)
        yield np.concatenate([np.clip(ramp + moved + grain, 16, 235).astype(np.uint8), colours])
