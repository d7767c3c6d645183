"""Kept cells against a dense pass of the stock tower, and against one in which dropped patches are masked."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLVisionConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionModel

from framework.backbones.interpolated_tower import encode, tower_indices
from framework.video.preprocess import normalise, patchify

TICKS, ROWS, COLUMNS = 3, 2, 3
MEAN = STD = (0.5, 0.5, 0.5)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def tower() -> Qwen3VLVisionModel:
    torch.manual_seed(0)
    sizes = {"depth": 3, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 24}
    config = Qwen3VLVisionConfig(
        **sizes, num_position_embeddings=64, deepstack_visual_indexes=[0, 1], initializer_range=0.3
    )
    config._attn_implementation = "eager"
    return Qwen3VLVisionModel(config).eval()


def film() -> Tensor:
    size = (TICKS, 2, 3, 32 * ROWS, 32 * COLUMNS)
    return torch.randint(0, 256, size, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@torch.no_grad()
def dense(tower: Qwen3VLVisionModel, pixels: Tensor) -> tuple[Tensor, Tensor]:
    patches = normalise(patchify(pixels, 16, 2).unflatten(1, (3, 32, 16)), MEAN, STD).flatten(1)
    found = tower(patches, grid_thw=torch.tensor([[len(pixels), 2 * ROWS, 2 * COLUMNS]]))
    return found.pooler_output, torch.stack(found.deepstack_features, 1)


@torch.no_grad()
def gathered(tower: Qwen3VLVisionModel, keep: Tensor) -> tuple[Tensor, Tensor]:
    return encode(tower, film(), keep, MEAN, STD)


def test_keeping_all_is_the_stock_tower_bit_by_bit(tower) -> None:
    ours = gathered(tower, torch.ones(TICKS, ROWS * COLUMNS, dtype=torch.bool))
    assert all(torch.equal(one, other) for one, other in zip(ours, dense(tower, film()), strict=True))


def test_kept_cells_are_those_of_a_pass_that_hides_the_others(tower, monkeypatch) -> None:
    keep = torch.tensor([[1, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]], dtype=torch.bool)
    alike = torch.arange(TICKS).repeat_interleave(4 * ROWS * COLUMNS)
    there = keep.flatten().repeat_interleave(4)
    seen = (alike[:, None] == alike) & there[None]
    seen |= torch.eye(len(alike), dtype=torch.bool)  # a dropped patch sees itself, so that its row is no NaN
    bias = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)

    def masked(attention: nn.Module, hidden: Tensor, cu_seqlens, position_embeddings, **_) -> Tensor:
        q, k, v = attention.qkv(hidden).view(len(hidden), 3, attention.num_heads, -1).unbind(1)  # [S, heads, d]
        cos, sin = (part[:, None] for part in position_embeddings)

        def turned(x: Tensor) -> Tensor:
            first, second = x.chunk(2, -1)
            return x * cos + torch.cat([-second, first], -1) * sin

        scores = torch.einsum("shd,thd->hst", turned(q), turned(k)) * attention.scaling + bias
        return attention.proj(torch.einsum("hst,thd->shd", scores.softmax(-1), v).flatten(1))

    got = gathered(tower, keep)
    for block in tower.blocks:
        monkeypatch.setattr(block.attn, "forward", masked.__get__(block.attn))
    for ours, whole in zip(got, dense(tower, film()), strict=True):
        torch.testing.assert_close(ours, whole[keep.flatten()], **CLOSE)


def test_nothing_kept_runs_nothing(tower) -> None:
    tokens, inner = gathered(tower, torch.zeros(TICKS, ROWS * COLUMNS, dtype=torch.bool))
    assert tokens.shape == (0, 24) and inner.shape == (0, 2, 24)


def test_ends_of_ticks_by_hand(tower) -> None:
    """One tick keeps two cells, one none, one three: eight patches and twelve."""
    keep = torch.tensor([[1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 1]], dtype=torch.bool)
    found = tower_indices(tower, 4, 6, keep, torch.device("cpu"))
    assert found["cu_seqlens"].tolist() == [0, 8, 20]
    assert found["position_ids"][4:8].tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]
