"""Sizes, causality and streaming of the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig


def test_the_published_size() -> None:
    gaze = Gaze(GazeConfig.official())
    assert sum(parameter.numel() for parameter in gaze.parameters()) == 3_258_240
    assert len(gaze.state_dict()) == 49
    assert sum(parameter.numel() for parameter in gaze.stem.parameters()) == 1_180_608
    assert gaze.positions.numel() == 37_632


def test_sizes_are_free() -> None:
    config = GazeConfig((30, 60), 10, 24, 1, 3, 40, 7, 2, 5, 1e4, None, 128)
    gaze = Gaze(config)
    tokens, state = gaze.vision(torch.randn(2, 3, 3, 60, 60))
    assert tokens.shape == (2, 3, 36, 24)
    assert [last.shape for last in state] == [(2, 24, 4, 6, 6)] * 2
    assert gaze.token_logits(tokens[:, 0, -1]).shape == (2, 7, 46)
    assert gaze.loss_predictions(tokens[:, 0, -1]).shape == (2, 7)
    assert GazeConfig.lab().vocabulary.size == 69


def test_the_stem_reads_no_later_frame_and_streams(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    gaze, pixels = small(), clips(2, 6)
    whole, _ = gaze.vision(pixels)
    changed = pixels.clone()
    changed[:, 4] += 1
    other, _ = gaze.vision(changed)
    assert torch.equal(other[:, :4], whole[:, :4]) and not torch.allclose(other[:, 4], whole[:, 4])
    parts, state = [], None
    for piece in pixels.split([1, 3, 1, 1], dim=1):
        tokens, state = gaze.vision(piece, state)
        parts.append(tokens)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_random_weights_leave_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    one, two = Gaze.random(GazeConfig.lab(), 3), Gaze.random(GazeConfig.lab(), 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.token_head.weight, two.token_head.weight)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("heads", 5),
        ("heads", 0),
        ("layers", 0),
        ("heads_ahead", 0),
        ("stem_kernel", 2),
        ("scales", (32, 100)),
        ("ffn", 0),
    ],
)
def test_sizes_that_cannot_be_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"gaze.{name}"):
        replace(GazeConfig.lab(), **{name: value})


@pytest.mark.parametrize(
    "shape", [(1, 0, 3, 48, 48), (1, 2, 3, 48, 47), (1, 3, 48, 48), (1, 1, 4, 48, 48), (1, 1, 3, 8, 8)]
)
def test_frames_of_another_size_are_refused(small: Callable[..., Gaze], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="with at least one frame"):
        small().vision(torch.zeros(shape))
