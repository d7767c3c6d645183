"""The language model has the published shape and reads every embedding that it is given."""

from __future__ import annotations

import torch

from framework.profiling.language import DEPTH, WIDTH, Language


def test_the_shape_is_the_published_one() -> None:
    """Weights added up by hand: 36 layers of 77.1 M, and one last norm."""
    with torch.device("meta"):
        model = Language(1, "meta", torch.float32).model
    keys, inner = 2 * 128, 11008
    attention = 2 * WIDTH**2 + WIDTH + 2 * (WIDTH + 1) * keys  # no bias on the way out
    layer = attention + 3 * WIDTH * inner + 2 * WIDTH
    assert sum(p.numel() for p in model.layers.parameters()) == layer == 77_076_992
    assert sum(p.numel() for p in model.parameters()) == layer + WIDTH + 8 * WIDTH  # a vocabulary of eight
    assert DEPTH * layer + 151_936 * WIDTH + WIDTH == 3_085_938_688  # the 3B model's text half


@torch.inference_mode()
def test_prefill_returns_a_state_for_every_token() -> None:
    assert Language(1, "cpu", torch.float32).prefill(5).shape == (1, 5, WIDTH)
