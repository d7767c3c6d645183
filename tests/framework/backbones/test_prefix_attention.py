"""Rows of many questions against one prefix: against attention written out over the whole prompt of each."""

from __future__ import annotations

import inspect
import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

from framework.backbones import prefix_attention
from framework.backbones.prefix_attention import Continuation, attend, join

CPU = torch.device("cpu")
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def prefix(length: int, groups: int, width: int) -> Cache:
    cache = Cache(layers=[DynamicLayer(), DynamicSlidingWindowLayer(sliding_window=4)])
    keys, values = drawn(2, 1, groups, length, width)
    for layer in range(2):
        cache.update(keys, values, layer)
    return cache


def written_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of the last S of T positions, each to itself and what is earlier: [B, S, heads, d]."""
    many = query.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(many, 1), values.repeat_interleave(many, 1)
    scores = query @ keys.mT / math.sqrt(query.shape[-1])
    late = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(scores.shape[-1] - scores.shape[-2] + 1)
    return (scores.masked_fill(late, -math.inf).softmax(-1) @ values).transpose(1, 2)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("heads", "groups"), [(4, 4), (6, 2), (2, 1)])
def test_equals_attention_over_the_whole_prompt(batch: int, heads: int, groups: int) -> None:
    """Five rows of each question, then a response token, then another one."""
    before = prefix(7, groups, 8)
    known = before.layers[0].keys.clone()
    cache, module = Continuation(before, batch), SimpleNamespace(layer_idx=0)
    keys, values = (tensor.expand(batch, -1, -1, -1) for tensor in (before.layers[0].keys, before.layers[0].values))
    for rows in (5, 1, 1):
        query, key, value = drawn(batch, heads, rows, 8), *drawn(2, batch, groups, rows, 8)
        own = cache.update(key, value, 0)
        assert own[0].shape[2] == cache.get_seq_length(0)
        got, _ = prefix_attention.prefix_attention(module, query, *own, None, prefix=before)
        keys, values = torch.cat([keys, key], 2), torch.cat([values, value], 2)
        torch.testing.assert_close(got, written_out(query, keys, values), **CLOSE)
    assert torch.equal(before.layers[0].keys, known)


def test_scores_far_apart_are_joined_without_overflow() -> None:
    """All weight is in the prefix, or none of it: log-sum-exps of some thousands."""
    ones, twos = torch.ones(1, 1, 1, 4), 2 * torch.ones(1, 1, 1, 4)
    for mine, theirs, expected in ((5e3, 0.0, 1.0), (0.0, 5e3, 2.0), (5e3, 5e3, 1.5)):
        got = join((ones, torch.full((1, 1, 1), mine)), (twos, torch.full((1, 1, 1), theirs)))
        assert got.flatten().tolist() == [expected] * 4


def test_half_precision_is_joined_in_single() -> None:
    one, other = torch.full((1, 1, 1, 1), 1.0), torch.full((1, 1, 1, 1), 1.0078125)  # neighbours in bfloat16
    weight = torch.tensor([[[0.0]]])
    got = join((one.bfloat16(), weight), (other.bfloat16(), weight + 4e-3))
    assert got.dtype == torch.bfloat16 and got.item() == 1.0078125  # .501 of the way


def test_a_layer_with_a_window_runs_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        prefix_attention,
        "sdpa_attention_forward",
        lambda *args, **more: (seen.append((args, more)), (args[1], None))[1],
    )
    before = prefix(7, 2, 8)
    cache, module = Continuation(before, 2), SimpleNamespace(layer_idx=1)
    query, key, value = drawn(2, 2, 5, 8), *drawn(2, 2, 2, 5, 8)
    own = cache.update(key, value, 1)
    assert own[0].shape == (2, 2, 3 + 5, 8)  # what the window leaves of the prefix
    mask = torch.ones(2, 1, 5, 8, dtype=torch.bool)
    prefix_attention.prefix_attention(module, query, *own, mask, scaling=0.5, prefix=before, sliding_window=4)
    prefix_attention.prefix_attention(module, query, *own, mask, scaling=0.5)
    assert [args[4] is mask for args, _ in seen] == [True, True]
    assert seen[0][1] == {"dropout": 0.0, "scaling": 0.5, "sliding_window": 4}
    assert before.layers[1].get_seq_length() == 7


def test_rows_that_cannot_be_told_apart_are_refused() -> None:
    before = prefix(7, 2, 8)
    with pytest.raises(ValueError, match="got 2 rows, 5 positions"):
        prefix_attention.prefix_attention(
            SimpleNamespace(layer_idx=0), drawn(1, 2, 2, 8), *drawn(2, 1, 2, 5, 8), None, prefix=before
        )


@pytest.mark.parametrize("causal", [False, True])
def test_log_sum_exps_are_those_of_the_scores(causal: bool) -> None:
    query, (key, value) = drawn(2, 3, 5, 8), drawn(2, 2, 3, 5, 8)
    out, sums = attend(query, key, value, 0.3, causal)
    scores = query @ key.mT * 0.3
    if causal:
        scores = scores.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -math.inf)
    torch.testing.assert_close(sums, scores.logsumexp(-1), **CLOSE)
    torch.testing.assert_close(out, scores.softmax(-1) @ value, **CLOSE)


@pytest.mark.parametrize("heads_first", [True, False])
def test_the_call_on_cuda_binds_to_what_torch_documents(monkeypatch: pytest.MonkeyPatch, heads_first: bool) -> None:
    """A stand-in reads sequence by sequence; log-sum-exps come in the order of the kernel or of the documentation."""
    torch_varlen = pytest.importorskip("torch.nn.attention.varlen")
    documented = inspect.signature(torch_varlen.varlen_attn)

    def stand_in(*args, **more) -> tuple[Tensor, Tensor]:
        given = documented.bind(*args, **more).arguments
        assert given["return_aux"].lse and given["scale"] == 0.3
        assert (given["max_q"], given["max_k"]) == (5, 5 if given["window_size"] == (-1, 0) else 7)
        found = []
        for i in range(len(given["cu_seq_q"]) - 1):
            rows = slice(*given["cu_seq_q"][i : i + 2].tolist())
            seen = slice(*given["cu_seq_k"][i : i + 2].tolist())
            q, k, v = given["query"][rows], given["key"][seen], given["value"][seen]  # [S, heads, d]
            q, k, v = (part.transpose(0, 1)[None].contiguous() for part in (q, k, v))
            found.append(attend(q, k, v, 0.3, given["window_size"] == (-1, 0)))
        out = torch.cat([out[0].transpose(0, 1) for out, _ in found])
        sums = torch.cat([sums[0] for _, sums in found], 1)  # [heads, rows]
        return out, sums if heads_first else sums.T

    monkeypatch.setattr(torch_varlen, "varlen_attn", stand_in)
    for causal, seen in ((False, 7), (True, 5)):
        query, (key, value) = drawn(2, 3, 5, 8), drawn(2, 2, 3, seen, 8)
        got = prefix_attention._in_one_call(query, key, value, 0.3, causal)
        for one, other in zip(got, attend(query, key, value, 0.3, causal), strict=True):
            torch.testing.assert_close(one, other, **CLOSE)


def test_where_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_sums(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None) -> None:
        """As an older torch may have it."""

    def with_sums(query, key, value, *, scale=None, return_aux=None, window_size=(-1, -1)) -> None:
        """As torch 2.13 has it."""

    assert prefix_attention.serves(CPU, torch.float32, 64)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    for varlen, there in ((with_sums, True), (without_sums, False), (None, False)):
        monkeypatch.setattr(prefix_attention, "varlen_attention", lambda varlen=varlen: varlen)
        prefix_attention.sums_on_cuda.cache_clear()
        assert prefix_attention.serves(torch.device("cuda"), torch.bfloat16, 128) == there
        assert not prefix_attention.serves(torch.device("cuda"), torch.float32, 128)
    prefix_attention.sums_on_cuda.cache_clear()
