"""The towers have the published shapes, and what is called dense is the stock forward on all patches."""

from __future__ import annotations

import pytest
import torch

from framework.backbones import gathered_tower
from framework.profiling.towers import HALF, Qwen25VL3B, SiglipBase


@pytest.fixture(scope="module")
def siglip() -> SiglipBase:
    return SiglipBase(1, "block_causal", "cpu", torch.float32)


@pytest.fixture(scope="module")
def qwen() -> Qwen25VL3B:
    return Qwen25VL3B(1, "block_causal", "cpu", torch.float32)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_shapes_are_the_published_ones(siglip: SiglipBase, qwen: Qwen25VL3B) -> None:
    """Weights added up by hand: SigLIP-base without its head 85.8 M, the tower of Qwen2.5-VL-3B 668.7 M."""
    wide, inner = 768, 3072
    layer = 4 * (wide + 1) * wide + (wide + 1) * inner + (inner + 1) * wide + 2 * 2 * wide
    around = (3 * 16 * 16 + 1) * wide + 196 * wide + 2 * wide  # projection, positions, last norm
    assert count(siglip.layers[0]) == layer and count(siglip.vit) == layer + around
    assert 12 * layer + around == 85_797_120
    wide, inner = 1280, 3420
    layer = 4 * (wide + 1) * wide + 2 * (wide + 1) * inner + (inner + 1) * wide + 2 * wide
    around = 3 * 2 * 14 * 14 * wide + wide + (4 * wide + 1) * 4 * wide + (4 * wide + 1) * 2048  # projection, merger
    assert count(qwen.layers[0]) == layer and count(qwen.tower) == layer + around
    assert 32 * layer + around == 668_684_288


def test_full_attention_is_where_it_was() -> None:
    with torch.device("meta"):
        towers = {depth: Qwen25VL3B(depth, "", "meta", torch.float32).tower for depth in (8, 32)}
    assert towers[8].fullatt_block_indexes == [7]
    assert towers[32].fullatt_block_indexes == [7, 15, 23, 31]


def test_places(siglip: SiglipBase, qwen: Qwen25VL3B) -> None:
    assert siglip.places(4, 224) == (1, 4, 4 + 16 + 49 + 196)
    assert siglip.places(2, 448) == (1, 2, 4 * (4 + 16 + 49 + 196))
    assert qwen.places(4, 224) == (2 * 8 * 8,)


@torch.inference_mode()
def test_keeping_all_cells_is_what_is_called_dense(qwen: Qwen25VL3B) -> None:
    pixels = qwen.pixels(2, 56)
    everything = torch.ones(qwen.places(2, 56), dtype=torch.bool)
    dense = qwen.dense(pixels).pooler_output  # type: ignore[attr-defined]
    assert torch.equal(gathered_tower.encode(qwen.tower, pixels, everything, HALF, HALF), dense)
