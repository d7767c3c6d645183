"""The chunked attention equals transformers' own loop, also for ragged windows."""

from __future__ import annotations

import importlib
import inspect
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from framework.backbones import equal_chunk_attention
from framework.backbones.chunks import plan
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


def in_chunks(query, key, value, bounds: list[int]) -> torch.Tensor:
    """Written out, chunk by chunk: [1, heads, S, d] each -> [1, S, heads, d]."""
    found = []
    for start, stop in pairwise(bounds):
        q, k, v = (tensor[:, :, start:stop] for tensor in (query, key, value))
        found.append(((q @ k.mT * 0.5).softmax(-1) @ v).transpose(1, 2))
    return torch.cat(found, 1)


@pytest.mark.parametrize("lengths", [[40, 20, 33], [24, 9] * 3, [7, 1, 2, 7, 3]])
def test_a_plan_counts_in_place_of_the_boundaries(lengths: list[int]) -> None:
    bounds = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    qkv = torch.randn(3, 1, 2, bounds[-1], 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    known = {len(lengths): plan(torch.tensor(bounds, dtype=torch.int32), torch.device("cpu"))}
    wrong = torch.zeros(len(bounds), dtype=torch.int32, device="meta")  # never read
    got, _ = equal_chunk_attention.equal_chunk_attention(
        None,  # type: ignore[arg-type]
        *qkv,
        None,
        scaling=0.5,
        cu_seq_lens_q=wrong,
        chunks=known,
    )
    torch.testing.assert_close(got, in_chunks(*qkv, bounds))


def test_repeats_share_calls_and_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    stock = equal_chunk_attention.scaled_dot_product_attention
    monkeypatch.setattr(
        equal_chunk_attention,
        "scaled_dot_product_attention",
        lambda q, *rest, **more: (calls.append((tuple(q.shape), q._is_view())), stock(q, *rest, **more))[1],
    )
    qkv = torch.randn(3, 1, 2, 99, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    bounds = [0, 24, 33, 57, 66, 90, 99]
    got, _ = equal_chunk_attention.equal_chunk_attention(
        None,  # type: ignore[arg-type]
        *qkv,
        None,
        scaling=0.5,
        cu_seq_lens_q=torch.tensor(bounds),
    )
    assert calls == [((3, 2, 24, 4), True), ((3, 2, 9, 4), True)]
    torch.testing.assert_close(got, in_chunks(*qkv, bounds))


@pytest.mark.parametrize(
    ("device", "dtype", "width", "fits"),
    [
        ("cuda", torch.bfloat16, 80, True),
        ("cuda", torch.float16, 256, True),
        ("cuda", torch.float32, 80, False),
        ("cuda", torch.bfloat16, 84, False),
        ("cuda", torch.bfloat16, 264, False),
        ("cpu", torch.bfloat16, 80, False),
    ],
)
def test_where_chunks_of_any_length_are_one_call(monkeypatch, device: str, dtype, width: int, fits: bool) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert equal_chunk_attention.fits_varlen(torch.device(device), dtype, width) == fits
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert not equal_chunk_attention.fits_varlen(torch.device(device), dtype, width)


def test_plans_serve_where_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def serves(name: str) -> bool:
        config = SimpleNamespace(_attn_implementation=name, hidden_size=160, num_heads=2)
        tower = SimpleNamespace(config=config, dtype=torch.float16)
        return equal_chunk_attention.plans_serve(tower)

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(equal_chunk_attention, "home", lambda tower: torch.device("cuda"))
    monkeypatch.setattr(equal_chunk_attention, "varlen_attention", lambda: print)
    assert not serves(equal_chunk_attention.NAME) and not serves("eager")
    monkeypatch.setattr(equal_chunk_attention, "varlen_attention", lambda: None)
    assert serves(equal_chunk_attention.NAME) and not serves("eager")


def test_one_call_is_handed_what_torch_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call binds to torch's own signature, in the layout [S, heads, d]; a stand-in computes it chunk by chunk."""
    stock = pytest.importorskip("torch.nn.attention.varlen").varlen_attn

    def stand_in(*args, **more) -> torch.Tensor:
        given = inspect.signature(stock).bind(*args, **more).arguments
        assert set(given) == {"query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k", "scale"}
        assert given["cu_seq_q"] is given["cu_seq_k"] is bounds
        assert (given["max_q"], given["max_k"], given["scale"]) == (3, 3, 0.5)
        qkv = (given[name].transpose(0, 1)[None] for name in ("query", "key", "value"))
        return in_chunks(*qkv, bounds.tolist())[0]

    monkeypatch.setattr(equal_chunk_attention, "varlen_attention", lambda: stand_in)
    monkeypatch.setattr(equal_chunk_attention, "fits_varlen", lambda *_: True)
    qkv = torch.randn(3, 1, 2, 9, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    bounds = torch.tensor([0, 2, 3, 5, 8, 9])
    for longest in (None, 3):  # where the stock forward does not say it
        got, _ = equal_chunk_attention.equal_chunk_attention(
            None,  # type: ignore[arg-type]
            *qkv,
            None,
            scaling=0.5,
            cu_seq_lens_q=bounds,
            max_length_q=longest,
        )
        torch.testing.assert_close(got, in_chunks(*qkv, bounds.tolist()))


def test_an_older_torch_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    def without_scale(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False) -> None:
        """As in the first torch that had it."""

    find = equal_chunk_attention.varlen_attention.__wrapped__
    assert find() is None or "scale" in inspect.signature(find()).parameters
    monkeypatch.setattr(importlib, "import_module", absent)
    assert find() is None
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(varlen_attn=without_scale))
    assert find() is None
