"""Selectors whose weights are all random and none zero, and batches of random tokens and questions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from strategies.learned.qtsplus.selector import Selector, Shape
from tests.fixtures.tiny_qwen import checkpoint, make, tied_checkpoint

__all__ = ["checkpoint", "make", "tied_checkpoint"]


def random_selector(
    scoring: int = 1, reencoding: int = 2, time: bool = False, official: bool = False, scaled: bool = True
) -> Selector:
    shape = Shape(16, 4, 2, scoring, reencoding, time, official)
    selector = Selector(shape, 0.05, 0.5, scaled=scaled, dropout=0.0, chunk=7)
    noise = torch.Generator().manual_seed(11)
    for name, parameter in selector.named_parameters():
        value = 0.3 * torch.randn(parameter.shape, generator=noise)
        parameter.data.copy_(value + 1 if "norm" in name else value)
    return selector


def random_batch(batch: int, tokens: int, words: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    noise = torch.Generator().manual_seed(seed)
    seconds = torch.arange(tokens).double().expand(batch, -1) * 0.5
    masks = (torch.ones(batch, length, dtype=torch.bool) for length in (tokens, words))
    given = (torch.randn(batch, length, 16, generator=noise) for length in (tokens, words))
    (video, question), (mask, question_mask) = given, masks
    return video, mask, question, question_mask, seconds


@pytest.fixture(scope="session")
def selector() -> Callable[..., Selector]:
    """selector(scoring=1, reencoding=2, time=False, official=False, scaled=True), of width 16."""
    return random_selector


@pytest.fixture(scope="session")
def batch() -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """batch(B, M, L, seed) -> tokens [B, M, 16], mask, question [B, L, 16], its mask, seconds f64 [B, M]."""
    return random_batch
