"""Tiny random reconstructors of every kind, and clips for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor

SIZES = {"width": 16, "layers": 2, "heads": 2, "hidden": 32, "decoder_width": 8, "decoder_layers": 2,
         "decoder_heads": 2, "decoder_hidden": 16, "frames": 4, "scales": (8, 16, 24), "patch": 4}  # fmt: skip
TINY = {
    "lab": replace(ReconstructorConfig.lab(), **SIZES),  # type: ignore[arg-type]
    "plain": replace(ReconstructorConfig.lab(), **SIZES, canvas=False),  # type: ignore[arg-type]
    "official": replace(ReconstructorConfig.official(), **SIZES),  # type: ignore[arg-type]
}


def tiny(kind: str, seed: int = 0) -> Reconstructor:
    """Random in every parameter, so that nothing hides behind a zero."""
    torch.manual_seed(seed)
    network = Reconstructor(TINY[kind])
    for name, parameter in network.named_parameters():
        if "norm" not in name and "positions" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


@pytest.fixture(params=["lab", "official", "plain"])
def network(request: pytest.FixtureRequest) -> Reconstructor:
    return tiny(request.param)


@pytest.fixture
def lab() -> Reconstructor:
    return tiny("lab")


@pytest.fixture
def official_network() -> Reconstructor:
    return tiny("official")


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(3, 4, 3, 24, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def picked() -> Tensor:
    found = torch.rand(3, 4, TINY["lab"].vocabulary.size, generator=torch.Generator().manual_seed(2)) < 0.15
    found[1, 2:] = False
    return found
