"""Dropping before the tower: against the dense stock tower, whole and with dropped patches masked as keys."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode
from transformers import AttentionInterface
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

from framework.backbones import equal_chunk_attention, gathered_tower, grid
from framework.backbones.chunks import plan
from framework.backbones.gathered_tower import encode, tower_indices
from framework.config.parts import build_pipeline
from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from framework.video.preprocess import normalise, patchify

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
GRIDS = [(1, 4, 4), (3, 5, 7), (2, 1, 3), (4, 2, 3)]  # ticks, rows, columns of cells; windows of 2 x 2 cells
TICKS, ROWS, COLUMNS = 3, 5, 7
N = TICKS * ROWS * COLUMNS
masks = st.lists(st.booleans(), min_size=N, max_size=N).map(torch.tensor)


@pytest.fixture(scope="module")
def tower() -> Qwen2_5_VisionTransformerPretrainedModel:
    """Four layers, two of them full; the biases are not zero."""
    sizes = {"depth": 4, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 24}
    config = Qwen2_5_VLVisionConfig(**sizes, window_size=56, fullatt_block_indexes=[1, 3], initializer_range=0.3)
    torch.manual_seed(5)
    model = Qwen2_5_VisionTransformerPretrainedModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.3)
    return model


@pytest.fixture(scope="module")
def exact(tower) -> Qwen2_5_VisionTransformerPretrainedModel:
    """The same in fp64: what is compared for many masks must not depend on the order of sums."""
    return deepcopy(tower).double()


@pytest.fixture
def attention(tower) -> Iterator[Callable[[str], None]]:
    before = tower.config._attn_implementation
    yield lambda name: setattr(tower.config, "_attn_implementation", name)
    tower.config._attn_implementation = before


def pixels(ticks: int, rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(ticks * rows * columns)
    return torch.randint(0, 256, (ticks, 2, 3, 28 * rows, 28 * columns), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def dense(tower, frames: Tensor) -> Tensor:
    """The stock forward on the whole grid; it computes all of its indices itself."""
    ticks, _, _, height, width = frames.shape
    patches = patchify(normalise(frames, MEAN, STD), 14, 2)
    return tower(patches.to(tower.dtype), torch.tensor([[ticks, height // 14, width // 14]])).pooler_output


@torch.no_grad()
def gathered(tower, frames: Tensor, keep: Tensor) -> Tensor:
    return encode(tower, frames, keep, MEAN, STD)


@torch.no_grad()
def dense_masked(tower, frames: Tensor, keep: Tensor) -> Tensor:
    """All patches run through the stock forward; in every layer the dropped ones are masked as keys. Kept rows only."""
    ticks, _, _, height, width = frames.shape
    windows, _ = get_vision_window_index(torch.tensor([[ticks, height // 14, width // 14]]), 2, 56, 14)
    key_kept = keep[windows].repeat_interleave(4)  # in the order in which the tower runs

    def masked(module, query, key, value, attention_mask, scaling, cu_seq_lens_q, **_) -> tuple[Tensor, None]:
        chunk = torch.arange(len(cu_seq_lens_q) - 1).repeat_interleave(torch.diff(cu_seq_lens_q.long()))
        seen = (chunk[:, None] == chunk) & key_kept | torch.eye(len(chunk), dtype=torch.bool)
        return scaled_dot_product_attention(query, key, value, seen, scale=scaling).transpose(1, 2), None

    AttentionInterface.register("masked_like_flash", masked)
    before, tower.config._attn_implementation = tower.config._attn_implementation, "masked_like_flash"
    try:
        return dense(tower, frames)[keep]
    finally:
        tower.config._attn_implementation = before


@pytest.mark.parametrize("name", ["sdpa", "eager", equal_chunk_attention.register()])
@pytest.mark.parametrize("grid", GRIDS)
def test_keeping_all_is_the_dense_tower_bit_by_bit(tower, attention, grid: tuple[int, int, int], name: str) -> None:
    attention(name)
    frames = pixels(*grid)
    got = gathered(tower, frames, torch.ones(grid[0] * grid[1] * grid[2], dtype=torch.bool))
    assert torch.equal(got, dense(tower, frames))


@pytest.mark.parametrize("grid", GRIDS)
def test_keeping_all_needs_the_indices_of_the_stock_forward(grid: tuple[int, int, int]) -> None:
    ticks, rows, columns = grid
    cells = torch.cartesian_prod(*map(torch.arange, grid)).unbind(1)
    got = tower_indices(*cells, merge=2, window=2)
    thw = torch.tensor([[ticks, 2 * rows, 2 * columns]])
    order, ends = get_vision_window_index(thw, 2, 56, 14)
    assert torch.equal(got["window_index"], order) and torch.equal(got["cu_window_seqlens"], ends)
    assert torch.equal(got["position_ids"], get_vision_position_ids(thw, 2))
    assert got["cu_seqlens"].tolist() == [4 * rows * columns * tick for tick in range(ticks + 1)]


def test_indices_by_hand() -> None:
    """Windows of 2 x 2 cells; tick 0 keeps (0, 0), (0, 3), (1, 1), tick 2 keeps (2, 2); tick 1 and most windows go."""
    tick, row, column = torch.tensor([[0, 0, 0], [0, 0, 3], [0, 1, 1], [2, 2, 2]]).unbind(1)
    got = tower_indices(tick, row, column, merge=2, window=2)
    assert got["window_index"].tolist() == [0, 2, 1, 3]
    assert got["cu_window_seqlens"].tolist() == [0, 8, 12, 16]
    assert got["cu_seqlens"].tolist() == [0, 12, 16]
    assert got["position_ids"][4:8].tolist() == [[0, 6], [0, 7], [1, 6], [1, 7]]
    assert got["position_ids"][12:].tolist() == [[4, 4], [4, 5], [5, 4], [5, 5]]


@settings(max_examples=25, deadline=None)
@given(keep=masks)
def test_kept_tokens_are_those_of_a_dense_pass_that_masks_the_dropped(exact, keep: Tensor) -> None:
    frames = pixels(TICKS, ROWS, COLUMNS)
    expected = dense_masked(exact, frames, keep)
    torch.testing.assert_close(gathered(exact, frames, keep), expected, **CLOSE)
    exact.config._attn_implementation = equal_chunk_attention.register()
    try:
        torch.testing.assert_close(gathered(exact, frames, keep), expected, **CLOSE)
    finally:
        exact.config._attn_implementation = "sdpa"


def test_dropped_pixels_are_never_read(tower) -> None:
    frames, keep = pixels(TICKS, ROWS, COLUMNS), torch.rand(N, generator=torch.Generator().manual_seed(1)) < 0.3
    cells = keep.view(TICKS, 1, 1, ROWS, COLUMNS).repeat_interleave(28, 3).repeat_interleave(28, 4)
    assert torch.equal(gathered(tower, frames, keep), gathered(tower, frames * cells, keep))
    changed = dense(tower, frames)[keep] - dense(tower, frames * cells)[keep]
    assert changed.abs().max() > 1e-2  # zeros are no way to drop


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_rows_and_flops_fall_in_proportion(tower, share: float) -> None:
    """Counted where they arise: rows of the patch embedding and of every layer, and the operations themselves."""
    frames = pixels(TICKS, ROWS, COLUMNS)
    rows: list[int] = []
    layers = [tower.patch_embed, *tower.blocks, tower.merger]
    handles = [layer.register_forward_pre_hook(lambda module, args: rows.append(len(args[0]))) for layer in layers]
    try:
        counted = []
        for kept in (N, round(share * N)):
            keep = torch.arange(N) * kept % N < kept  # spread evenly
            rows.clear()
            with FlopCounterMode(display=False) as counter:
                gathered(tower, frames, keep)
            assert rows == [4 * kept] * 6
            counted.append(counter.get_total_flops())
    finally:
        for handle in handles:
            handle.remove()
    assert 0.9 * share**2 < counted[1] / counted[0] <= share  # linear layers in proportion, attention falls faster


def test_ticks_without_kept_tokens_do_not_exist(tower) -> None:
    frames, keep = pixels(TICKS, ROWS, COLUMNS), torch.rand(TICKS, ROWS * COLUMNS) < 0.4
    keep[1] = False
    rest = torch.tensor([0, 2])
    got = gathered(tower, frames, keep.flatten())
    torch.testing.assert_close(got, gathered(tower, frames[rest], keep[rest].flatten()), **CLOSE)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_one_plan_per_pass_and_nothing_is_read_from_the_device(tower, attention, monkeypatch, share: float) -> None:
    """On the meta device reading a value raises. Two kinds of blocks make two plans, however many blocks there are."""
    attention(equal_chunk_attention.register())
    made: list[int] = []
    monkeypatch.setattr(
        gathered_tower, "plan", lambda bounds, device: (made.append(len(bounds) - 1), plan(bounds, device))[1]
    )
    monkeypatch.setattr(equal_chunk_attention, "plan", None)  # of a block
    frames, keep = pixels(TICKS, ROWS, COLUMNS), torch.rand(N, generator=torch.Generator().manual_seed(1)) < share
    got = gathered(copy.deepcopy(tower).to("meta"), frames, keep)
    assert made[0] == TICKS and TICKS < made[1] <= TICKS * 3 * 4 and len(made) == 2
    assert got.shape == (int(keep.sum()), 24) and got.device.type == "meta"


def test_nothing_kept_is_no_tokens_and_no_pass(tower) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the tower ran")

    handle = tower.register_forward_pre_hook(fail)
    try:
        assert gathered(tower, pixels(2, 2, 2), torch.zeros(8, dtype=torch.bool)).shape == (0, 24)
    finally:
        handle.remove()


def test_the_adapter_drops_before_the_tower(make, film, encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 x 3 cells in one window of 2 x 2 and one of 2 x 1; places and seconds are those of the whole grid."""
    backbone, frames = make(), film(4)
    layout = backbone.layout(torch.arange(4), 56, 84)
    keep = torch.zeros(24, dtype=torch.bool)
    keep[[1, 2, 7, 20]] = True  # ticks 0, 1 and 3
    entered: list[int] = []
    handle = backbone.tower.register_forward_pre_hook(lambda module, args: entered.append(len(args[0])))
    try:
        some = backbone.encode(frames, layout, keep)
        assert entered == [4 * 4]
        nothing = backbone.encode(frames, layout, torch.zeros(24, dtype=torch.bool))
        assert len(entered) == 1 and nothing.embeddings.shape == (0, 32)
    finally:
        handle.remove()
    expected = encode(backbone.tower, frames.pixels, keep, backbone.mean, backbone.std)
    assert torch.equal(some.embeddings, expected)
    whole = encoded(backbone, frames)[keep]
    for name in ("tick", "row", "column", "seconds"):
        assert torch.equal(getattr(some, name), getattr(whole, name))
    assert torch.equal(some.extra["extent"], whole.extra["extent"])
    assert torch.equal(backbone.encode(frames, layout, ~keep | keep).embeddings, encoded(backbone, frames).embeddings)
    monkeypatch.setattr(grid, "PATCHES_PER_PASS", 8)  # tick 0, then 1 and 3
    entered.clear()
    torch.testing.assert_close(backbone.encode(frames, layout, keep).embeddings, some.embeddings, **CLOSE)


def test_passes_hold_about_so_many_kept_patches_and_whole_ticks(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "PATCHES_PER_PASS", 64)
    keep = torch.ones(7, 8, dtype=torch.bool)  # 32 patches a tick
    split = make()._passes
    assert [p.tolist() for p in split(keep)] == [[0, 1], [2, 3], [4, 5], [6]]
    keep[:, 4:] = False
    assert [p.tolist() for p in split(keep)] == [[0, 1, 2, 3], [4, 5, 6]]
    keep[2] = False
    assert [p.tolist() for p in split(keep)] == [[0, 1, 3, 4], [5, 6]]
    assert [p.tolist() for p in split(torch.zeros_like(keep))] == [[]]


def test_pixels_of_ticks_that_follow_each_other_are_not_copied(make, film, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, frames, given = make(), film(6), []
    layout = backbone.layout(torch.arange(6), 56, 84)
    real = backbone._tower
    monkeypatch.setattr(backbone, "_tower", lambda pixels, keep: (given.append(pixels), real(pixels, keep))[1])
    keep = torch.ones(6, 6, dtype=torch.bool)
    for dropped, ticks in (([], range(6)), ([0], range(1, 6)), ([2], (0, 1, 3, 4, 5))):
        keep[dropped] = False
        given.clear()
        backbone.encode(frames, layout, keep.flatten())
        (pixels,) = given
        assert torch.equal(pixels, frames.pixels[list(ticks)])
        shared = pixels.untyped_storage().data_ptr() == frames.pixels.untyped_storage().data_ptr()
        assert shared == (dropped != [2])
        keep[:] = True


def test_keep_of_another_shape_or_kind_is_refused(make, film) -> None:
    backbone, frames = make(), film(2)
    layout = backbone.layout(torch.arange(2), 56, 84)
    for keep in (torch.ones(6, dtype=torch.bool), torch.ones(12), torch.arange(12)):
        with pytest.raises(ValueError, match=r"keep must be bool \[12\], one per token; got"):
            backbone.encode(frames, layout, keep)


class Chessboard(TokenScorer):
    """Refuses every other token; looks at pixels only."""

    before_tower = True

    @property
    def needs(self) -> Needs:
        return Needs(pixels=True)

    def score(self, view: GroupView) -> Scores:
        odd = (view.layout.row + view.layout.column) % 2 == 1
        return Scores(torch.where(odd, 1.0, -torch.inf))


def test_the_ledger_says_so(composed, needle_video) -> None:
    """A scorer that refuses half of the tokens: half of the tokens, rows and operations on the bill of `encode`."""
    pipeline = build_pipeline(composed("preset=adapttoken"))
    question = [needle_video.items[0].question]
    rows: list[int] = []
    tower = pipeline.backbone.tower
    handle = tower.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    try:
        costs = []
        for built in (pipeline, replace(pipeline, scorer=Chessboard())):
            costs.append(built.answer(needle_video.path, question)[0].trace.stages["encode"])
            costs[-1] = (costs[-1], sum(rows))
            rows.clear()
    finally:
        handle.remove()
    (whole, all_rows), (half, half_rows) = costs
    assert half.tokens * 2 == whole.tokens == 512
    assert half_rows * 2 == all_rows == 4 * 512
    assert half.flops * 2 == pytest.approx(whole.flops)


def test_a_grid_narrower_than_a_window(tower) -> None:
    frames, keep = pixels(2, 1, 3), torch.tensor([True, False, True, False, False, True])
    torch.testing.assert_close(gathered(tower, frames, keep), dense_masked(tower, frames, keep), **CLOSE)
