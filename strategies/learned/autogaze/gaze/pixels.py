"""Bytes of frames -> what the gaze and the reconstructor read, and back.

    resize (bilinear, antialiased, rounded to bytes) -> x / 127.5 - 1 -> (x - mean) / std with ImageNet's mean and std

Twice normalised, which is odd, but the published weights of both networks expect it. Source: AutoGaze
(arXiv 2603.12254) and its published code.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def prepare(frames: Tensor, side: int) -> Tensor:
    """Turns frames u8 [..., H, W, 3] or [..., 3, H, W] into normalised f32 [..., 3, side, side].

    Frames that are not square are squeezed, none is cropped; tiny ones are enlarged. Raises ValueError for anything
    else.
    """
    frames = channels_first(frames)
    return normalise(resize(frames, side, side).float())


def channels_first(frames: Tensor) -> Tensor:
    """Returns frames u8 [..., H, W, 3] or [..., 3, H, W] as a view [..., 3, H, W].

    Where both fit, channels are first already. Raises ValueError for any other type or shape, or no pixel at all.
    """
    if (
        frames.dtype != torch.uint8
        or frames.ndim < 3
        or not frames.numel()
        or 3
        not in (
            frames.shape[-3],
            frames.shape[-1],
        )
    ):
        raise ValueError(
            "frames must be bytes (uint8) of shape [..., height, width, 3] or [..., 3, height, width], with at least "
            f"one frame and one pixel; got {str(frames.dtype).removeprefix('torch.')} {list(frames.shape)}"
        )
    return frames if frames.shape[-3] == 3 else frames.movedim(-1, -3)


def resize(frames: Tensor, height: int, width: int) -> Tensor:
    """Resizes u8 [..., 3, H, W] to u8 [..., 3, height, width], as PIL's bilinear filter does it (within one level)."""
    if frames.shape[-2:] == (height, width):
        return frames
    flat = frames.reshape(-1, *frames.shape[-3:]).float()
    flat = interpolate(flat, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return flat.round_().clamp_(0, 255).to(torch.uint8).reshape(*frames.shape[:-2], height, width)


def normalise(pixels: Tensor) -> Tensor:
    """Normalises f32 [..., 3, H, W] within 0 .. 255, twice: x / 127.5 - 1, then with ImageNet's mean and std."""
    mean, std = _constants(pixels)
    return (pixels / 127.5 - 1 - mean) / std


def restore(pixels: Tensor) -> Tensor:
    """Turns normalised f32 [..., 3, H, W] back into u8, clipped: the reverse of `prepare`, without the resizing."""
    mean, std = _constants(pixels)
    return ((pixels * std + mean + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _constants(like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(value, dtype=like.dtype, device=like.device)[:, None, None] for value in (MEAN, STD))
    return mean, std
