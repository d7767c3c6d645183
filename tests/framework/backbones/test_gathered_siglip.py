"""Gathered SigLIP against a dense run of its stock parts in which dropped patches are masked as attention keys."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode
from transformers import SiglipVisionConfig, SiglipVisionModel

from framework.backbones.gathered_siglip import MASKS, GatheredSiglip

SCALES = (8, 16, 28, 56)  # grids of 2, 4, 7 and 14 patches of 4 pixels, as of 32, 64, 112 and 224 with 16
V = 4 + 16 + 49 + 196
CLIPS, FRAMES = 2, 3
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def vit() -> SiglipVisionModel:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = SiglipVisionConfig(**sizes, image_size=24, patch_size=4)  # its own table: 6 x 6
    torch.manual_seed(2)
    model = SiglipVisionModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def film(size: int = 40) -> Tensor:
    return torch.randn(CLIPS, FRAMES, 3, size, size, generator=torch.Generator().manual_seed(size))


@torch.no_grad()
def dense_masked(vit: SiglipVisionModel, pixels: Tensor, keep: Tensor, mask: str) -> list[Tensor]:
    """Every patch of every scale through the stock embeddings and layers, one clip at a time; kept rows only."""
    results = []
    for clip, kept in zip(pixels, keep, strict=True):
        frames = []
        for frame in clip:
            sizes = [interpolate(frame[None], size=(s, s), mode="bicubic", align_corners=False) for s in SCALES]
            frames.append(torch.cat([vit.embeddings(x, interpolate_pos_encoding=True)[0] for x in sizes]))
        time = torch.arange(FRAMES).repeat_interleave(V)
        rules = {
            "block_causal": time[:, None] >= time,
            "bidirectional": torch.ones(FRAMES * V, FRAMES * V, dtype=torch.bool),
            "per_frame": time[:, None] == time,
        }
        seen = rules[mask] & kept.flatten() | torch.eye(FRAMES * V, dtype=torch.bool)
        states = torch.cat(frames)[None]
        for layer in vit.encoder.layers:
            states = layer(states, torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)[None, None])
        results.append(vit.post_layernorm(states)[0, kept.flatten()])
    return results


@torch.no_grad()
def gathered(vit: SiglipVisionModel, pixels: Tensor, keep: Tensor, mask: str) -> list[Tensor]:
    return GatheredSiglip(vit, SCALES, mask)(pixels, keep)


@pytest.mark.parametrize("mask", MASKS)
@settings(max_examples=8, deadline=None)
@given(share=st.sampled_from([0.02, 0.3, 1.0]), seed=st.integers(0, 10**6))
def test_kept_patches_are_those_of_a_dense_pass_that_masks_the_dropped(vit, mask: str, share: float, seed: int) -> None:
    """Also with frames or clips of which nothing is left, and clips of different lengths in one batch."""
    generator = torch.Generator().manual_seed(seed)
    keep = torch.rand(CLIPS, FRAMES, V, generator=generator) < share * torch.rand(CLIPS, FRAMES, 1, generator=generator)
    expected = dense_masked(vit, film(), keep, mask)
    got = gathered(vit, film(), keep, mask)
    assert [len(part) for part in got] == keep.flatten(1).sum(1).tolist()
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("mask", MASKS)
def test_keeping_all_is_the_dense_pass(vit, mask: str) -> None:
    keep = torch.ones(CLIPS, FRAMES, V, dtype=torch.bool)
    for one, other in zip(gathered(vit, film(), keep, mask), dense_masked(vit, film(), keep, mask), strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("size", [24, 40])
def test_one_scale_and_one_frame_is_the_stock_model_bit_by_bit(vit, size: int) -> None:
    """At the size of its own table of positions, and at another."""
    pixels = film(size)
    keep = torch.ones(CLIPS, FRAMES, (size // 4) ** 2, dtype=torch.bool)
    with torch.no_grad():
        got = GatheredSiglip(vit, (size,), "per_frame")(pixels, keep)
        stock = vit(pixels.flatten(0, 1), interpolate_pos_encoding=True).last_hidden_state
    assert torch.equal(torch.cat(got), stock.flatten(0, 1))


@pytest.mark.parametrize("mask", MASKS)
def test_a_clip_does_not_depend_on_its_batch(vit, mask: str) -> None:
    keep = (
        torch.rand(CLIPS, FRAMES, V, generator=torch.Generator().manual_seed(1))
        < torch.tensor([0.1, 0.5])[:, None, None]
    )
    together = gathered(vit, film(), keep, mask)
    for clip in range(CLIPS):
        (alone,) = gathered(vit, film()[clip : clip + 1], keep[clip : clip + 1], mask)
        torch.testing.assert_close(together[clip], alone, **CLOSE)


def test_who_sees_whom(vit) -> None:
    """The last frame changes: block-causal and per-frame rows before it stay, bidirectional ones do not."""
    keep = torch.rand(1, FRAMES, V, generator=torch.Generator().manual_seed(3)) < 0.2
    before, after = film()[:1], film()[:1].clone()
    after[:, -1] += 1
    early = int(keep[0, :-1].sum())
    for mask in MASKS:
        (one,), (other,) = gathered(vit, before, keep, mask), gathered(vit, after, keep, mask)
        assert bool((one[:early] == other[:early]).all()) == (mask != "bidirectional")
        assert not torch.allclose(one[early:], other[early:], atol=1e-3)


def test_rows_and_flops_fall_in_proportion(vit) -> None:
    rows: list[int] = []
    handle = vit.encoder.layers[0].register_forward_pre_hook(lambda module, args: rows.append(args[0].shape[1]))
    try:
        counted = []
        for kept in (FRAMES * V, FRAMES * V // 5):
            keep = (torch.arange(FRAMES * V) * kept % (FRAMES * V) < kept).view(1, FRAMES, V)
            with FlopCounterMode(display=False) as counter:
                gathered(vit, film()[:1], keep, "bidirectional")
            counted.append(counter.get_total_flops())
        assert rows == [FRAMES * V, FRAMES * V // 5]
        assert 1 / 25 < counted[1] / counted[0] <= 1 / 5
    finally:
        handle.remove()


def test_nothing_kept_is_no_rows_and_no_pass(vit) -> None:
    keep = torch.zeros(CLIPS, FRAMES, V, dtype=torch.bool)
    assert [part.shape for part in gathered(vit, film(), keep, "block_causal")] == [(0, 16)] * CLIPS
    keep[1, 2, 5] = True
    assert [len(part) for part in gathered(vit, film(), keep, "per_frame")] == [0, 1]


def test_gradients_reach_everything_that_ran(vit) -> None:
    model = GatheredSiglip(vit, SCALES, "block_causal")
    keep = torch.rand(CLIPS, FRAMES, V) < 0.1
    torch.cat(model(film(), keep)).square().sum().backward()
    unused = {name for name, p in vit.named_parameters() if p.grad is None}
    assert unused == {name for name, _ in vit.named_parameters() if name.startswith("head.")}
    vit.zero_grad()


@pytest.mark.parametrize(
    ("scales", "mask", "said"),
    [
        ((8, 18), "per_frame", r"multiples of the patch of 4 pixels; got \(8, 18\)"),
        ((16, 8), "per_frame", "ascending"),
        ((), "per_frame", "ascending"),
        ((8,), "causal", "one of block_causal, bidirectional, per_frame; got 'causal'"),
    ],
)
def test_wrong_wishes_are_named(vit, scales: tuple[int, ...], mask: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GatheredSiglip(vit, scales, mask)


def test_a_keep_of_another_vocabulary_is_refused(vit) -> None:
    with pytest.raises(ValueError, match=r"keep must be bool \[2, 3, 265\], got torch.bool \[2, 3, 196\]"):
        gathered(vit, film(), torch.ones(2, 3, 196, dtype=torch.bool), "per_frame")
