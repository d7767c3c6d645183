"""The chunked attention equals transformers' own loop, also for ragged windows."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from framework.backbones import equal_chunk_attention
from framework.lab.model import build_model


@pytest.mark.parametrize("grid", [[[8, 4, 4]], [[3, 4, 4], [2, 8, 12]], [[1, 10, 18]]])
def test_equals_the_stock_tower(grid: list[list[int]]) -> None:
    model, _ = build_model(seed=1)
    tower = model.model.visual.eval()
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(sum(t * h * w for t, h, w in grid), 3 * 2 * 14 * 14, generator=generator)
    with torch.no_grad():
        stock = tower(patches, torch.tensor(grid)).pooler_output
        model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
        ours = tower(patches, torch.tensor(grid)).pooler_output
    assert torch.allclose(ours, stock, atol=1e-5)


def test_gradients_flow_to_all_of_query_key_and_value() -> None:
    tensors = [torch.randn(1, 2, 6, 4, requires_grad=True) for _ in range(3)]
    bounds = torch.tensor([0, 2, 4, 6])
    out, _ = equal_chunk_attention.equal_chunk_attention(None, *tensors, None, scaling=0.5, cu_seq_lens_q=bounds)  # type: ignore[arg-type]
    assert out.shape == (1, 6, 2, 4)
    out.square().sum().backward()
    assert all(bool(tensor.grad.abs().sum() > 0) for tensor in tensors)  # type: ignore[union-attr]


def test_one_call_per_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 2, 1, 2, 3, 1 positions: three calls, and every position sees its own chunk, where it stands."""
    calls = []
    stock = equal_chunk_attention.scaled_dot_product_attention
    monkeypatch.setattr(
        equal_chunk_attention,
        "scaled_dot_product_attention",
        lambda q, *rest, **more: (calls.append(tuple(q.shape)), stock(q, *rest, **more))[1],
    )
    query, key, value = torch.randn(3, 1, 2, 9, 4, generator=torch.Generator().manual_seed(0))
    bounds = [0, 2, 3, 5, 8, 9]
    args = (query, key, value, None)
    got, _ = equal_chunk_attention.equal_chunk_attention(None, *args, scaling=0.5, cu_seq_lens_q=torch.tensor(bounds))  # type: ignore[arg-type]
    assert calls == [(2, 2, 1, 4), (2, 2, 2, 4), (1, 2, 3, 4)]
    for start, stop in pairwise(bounds):
        weights = (query[0, :, start:stop] @ key[0, :, start:stop].mT * 0.5).softmax(-1)
        expected = (weights @ value[0, :, start:stop]).transpose(0, 1)
        torch.testing.assert_close(got[0, start:stop], expected)


def test_text_layers_are_refused() -> None:
    tensor = torch.zeros(1, 1, 2, 4)
    with pytest.raises(ValueError, match="vision towers only"):
        equal_chunk_attention.equal_chunk_attention(None, tensor, tensor, tensor, None)  # type: ignore[arg-type]
