"""The published model on random weights with its own outputs, and models small enough for many runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from strategies.learned.autogaze.gaze import official
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig


@dataclass(frozen=True)
class Golden:
    """What the published code gave."""

    gaze: Gaze
    tensors: dict[str, Tensor]
    video: Tensor  # f32 [2, 5, 3, 224, 224]


@pytest.fixture(scope="session")
def golden(data: Path) -> Golden:
    tensors = load_file(data / "autogaze_random_weights.safetensors")
    video = torch.randn(2, 5, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    assert torch.equal(video.double().sum((2, 3, 4)), tensors["video.sums"]), "torch draws other numbers now"
    weights = {name: value for name, value in tensors.items() if name.startswith(official.PREFIX)}
    return Golden(official.from_tensors(weights, "golden"), tensors, video)


def small_gaze(seed: int = 0, ahead: int = 4, scales: tuple[int, ...] = (16, 48)) -> Gaze:
    config = GazeConfig(scales, 16, 16, 2, 2, 24, ahead, 1, 3, 1e4, None, 4096)
    gaze = Gaze.random(config, seed)
    with torch.no_grad():  # the heads spread out, so that picks and losses depend on what is seen
        noise = torch.Generator().manual_seed(seed)
        for parameter in (gaze.token_head.weight, gaze.loss_head.weight, gaze.decoder.embed_tokens.weight):
            parameter.copy_(torch.randn(parameter.shape, generator=noise))
    return gaze


@pytest.fixture(scope="session")
def small() -> Callable[..., Gaze]:
    """small(seed, ahead, scales): a gaze of width 16; by default of 1 + 9 ids and 9 vision tokens."""
    return small_gaze


@pytest.fixture(scope="session")
def clips() -> Callable[..., Tensor]:
    """clips(B, T, seed, side) -> normalised noise f32 [B, T, 3, side, side]."""

    def made(batch: int, frames: int, seed: int = 0, side: int = 48) -> Tensor:
        return torch.randn(batch, frames, 3, side, side, generator=torch.Generator().manual_seed(seed))

    return made
