"""Plans of chunks by hand: repeats share a call, and ragged chunks are brought together where that costs less."""

from __future__ import annotations

import pytest
import torch

from framework.backbones.chunks import Chunks, plan

CPU = torch.device("cpu")


def bounds(*lengths: int) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).int()


def test_equal_chunks_are_one_call() -> None:
    assert plan(bounds(*[64] * 12), CPU) == Chunks(((12, (64,)),))
    assert plan(bounds(5), CPU) == Chunks(((1, (5,)),))
    assert plan(bounds(1, 1, 1), CPU) == Chunks(((3, (1,)),))


def test_ticks_that_are_alike_share_calls() -> None:
    """The default grid of 16:9, 11 x 19 cells in windows of 4 x 4: three lengths, 15 windows a tick, three ticks."""
    tick = [64] * 4 + [48] + [64] * 4 + [48] + [48] * 4 + [36]
    assert plan(bounds(*tick * 3), CPU) == Chunks(((3, tuple(tick)),))


def test_what_repeats_most_is_found() -> None:
    assert plan(bounds(*[32, 16] * 4), CPU).parts == ((4, (32, 16)),)
    assert plan(bounds(*[32, 16, 32] * 2), CPU).parts == ((2, (32, 16, 32)),)


def test_chunks_without_a_pattern_are_brought_together_where_calls_for_each_would_cost_more() -> None:
    few = plan(bounds(2, 1, 2, 3, 1), CPU)  # 9 positions in 5 calls
    assert few.parts == ((2, (1,)), (2, (2,)), (1, (3,)))
    assert few.order is not None and few.order.tolist() == [2, 8, 0, 1, 3, 4, 5, 6, 7]
    assert few.back is not None and few.order[few.back].tolist() == list(range(9))
    assert plan(bounds(20, 10, 18), CPU) == Chunks(((1, (20, 10, 18)),))  # 48 positions in 3 calls: 16 each
    assert plan(bounds(20, 10, 17), CPU).order is not None


def test_a_call_has_to_be_worth_more_where_it_is_launched() -> None:
    tick = [64, 36]
    assert plan(bounds(*tick * 10), torch.device("meta")).order is not None  # 1,000 positions in 2 calls
    assert plan(bounds(*tick * 11), torch.device("meta")) == Chunks(((11, (64, 36)),))


@pytest.mark.parametrize("seed", range(5))
def test_every_position_has_one_place(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (20,), generator=generator)
    found = plan(bounds(*lengths.tolist()), CPU)
    order = torch.arange(int(lengths.sum())) if found.order is None else found.order
    assert sum(repeats * sum(sizes) for repeats, sizes in found.parts) == len(order)
    assert sorted(order.tolist()) == list(range(len(order)))
    of = torch.arange(20).repeat_interleave(lengths)[order]
    at = 0
    for repeats, sizes in found.parts:
        for size in sizes * repeats:
            assert len(set(of[at : at + size].tolist())) == 1  # of one chunk
            at += size
