"""The band removes what a search over all pairs does, and compares fewer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from framework.ops.removal import NEAR, exponential, first_reach, remove_closest
from framework.ops.similarity import Blocks, cosine_blocks


class Compared:
    """Cosines times exp(-distance), and how many pairs were looked at."""

    def __init__(self, seed: int, n: int, span: float) -> None:
        noise = torch.Generator().manual_seed(seed)
        unit = normalize(torch.randn(n // 3 + 1, 6, generator=noise), dim=1)
        self.unit = normalize(unit.repeat(3, 1)[:n] + 0.1 * torch.randn(n, 6, generator=noise), dim=1)
        self.seconds = (span * torch.rand(n, generator=noise).double()).sort().values
        self.rank = torch.randperm(n, generator=noise).numpy()
        self.pairs = 0

    def __call__(self, rows: Tensor, reach: float) -> Blocks:
        for part, columns, cosine, gap in cosine_blocks(self.unit, self.seconds, rows, reach):
            self.pairs += cosine.numel()
            near = (gap <= reach) & (part[:, None] != columns)
            yield part, columns, (cosine * (-gap).exp().float()).masked_fill(~near, -math.inf)

    def removed(self, count: int, reach: float) -> tuple[list[int], list[int]]:
        alive, partner = remove_closest(self.rank, count, self, reach, math.inf, exponential(1.0))
        gone = np.flatnonzero(~alive)
        return gone.tolist(), partner[gone].tolist()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), share=st.floats(0, 1), span=st.sampled_from([0.5, 5.0, 60.0]))
def test_a_band_removes_what_all_pairs_do(seed: int, n: int, share: float, span: float) -> None:
    count = int(share * n)
    assert Compared(seed, n, span).removed(count, 0.3) == Compared(seed, n, span).removed(count, math.inf)


def test_far_pairs_are_not_compared_while_near_ones_are_alike() -> None:
    band, whole = Compared(3, 4000, 1000.0), Compared(3, 4000, 1000.0)
    assert band.removed(20, 0.5) == whole.removed(20, math.inf)
    assert band.pairs < 0.3 * whole.pairs


def test_the_last_token_goes_where_nothing_is_related() -> None:
    alive, partner = remove_closest(np.array([0, 2, 1]), 2, lambda rows, reach: iter(()), 1.0, 1.0, exponential(1.0))
    assert alive.tolist() == [True, False, False] and partner.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(("reach", "most"), [(0.0, 1.0), (2.0, math.exp(-1))])
def test_the_bound_falls_with_distance(reach: float, most: float) -> None:
    assert exponential(2.0)(reach) == pytest.approx(most)


def test_the_first_reach_is_that_of_the_worst_link_that_is_needed() -> None:
    """Two removals leave one of the three best links whole: the third best is .5, so the band ends at sigma x ln 2."""
    links = torch.tensor([0.2, 0.9, 0.5, -torch.inf, 0.8])
    assert first_reach(links, 2, 3.0) == pytest.approx(3.0 * math.log(2), rel=0.01)
    assert exponential(3.0)(first_reach(links, 2, 3.0)) < 0.5
    assert first_reach(links, 1, 3.0) == pytest.approx(-3.0 * math.log(0.9), rel=0.02)


@pytest.mark.parametrize("count", [3, 4, 100])
def test_links_that_are_too_few_or_unlike_say_nothing(count: int) -> None:
    assert first_reach(torch.tensor([0.2, 0.9, 0.5, -0.1, -torch.inf]), count, 3.0) == 3.0 * NEAR
