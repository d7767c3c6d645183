"""How close pairs of tokens are, against the formulas written out pair by pair in double precision."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.ops.closeness import KERNELS, Closeness
from framework.ops.removal import exponential, first_reach, remove_closest
from framework.ops.similarity import unit_rows


def tokens(n: int, seed: int, span: float = 6.0, **changed: Any) -> Closeness:
    """Random tokens, a third of them near-duplicates, several at one time."""
    noise = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(n // 3 + 1, 6, generator=noise).repeat(3, 1)[:n]
    embeddings += 0.2 * torch.randn(n, 6, generator=noise)
    seconds = (span * torch.rand(n // 2 + 1, generator=noise).double()).repeat(2)[:n].sort().values
    row, column = torch.randint(0, 3, (2, n), generator=noise)
    unit = unit_rows(embeddings, torch.arange(n))
    return replace(Closeness(unit, seconds, row, column, "multiply", 0.5, 1.5, 2.0, False), **changed)


def by_hand(near: Closeness, i: int, j: int, reach: float = math.inf) -> float:
    gap = abs(float(near.seconds[i] - near.seconds[j]))
    rise, run = int(near.row[i] - near.row[j]), int(near.column[i] - near.column[j])
    if i == j or gap > reach or (near.same_place and (rise or run)):
        return -math.inf
    if near.rank is not None and near.rank[j] >= near.rank[i]:
        return -math.inf
    cosine = round(float(near.unit[i].double() @ near.unit[j].double()), 5)
    if near.kernel == "add":
        return cosine + near.proximity_weight * math.exp(-gap / near.sigma_seconds)
    away = (rise**2 + run**2) / (2 * near.sigma_cells**2) if near.kernel == "spatio_temporal" else 0.0
    return cosine * math.exp(-gap / near.sigma_seconds - away)


def whole(near: Closeness, reach: float = math.inf) -> torch.Tensor:
    """The blocks of all rows as one matrix; -inf where no block says anything."""
    n = len(near.seconds)
    found = torch.full((n, n), -math.inf)
    for part, columns, similarity in near.blocks(torch.arange(n), reach):
        found[part[:, None], columns] = similarity
    return found


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("changed", [{}, {"same_place": True}, {"rank": torch.randperm(40)}])
@pytest.mark.parametrize("reach", [math.inf, 0.7])
def test_blocks_are_the_formulas(kernel: str, changed: dict[str, Any], reach: float) -> None:
    near = tokens(40, 3, kernel=kernel, **changed)
    expected = [[by_hand(near, i, j, reach) for j in range(40)] for i in range(40)]
    assert torch.allclose(whole(near, reach), torch.tensor(expected), atol=2e-5)  # a cosine may be rounded otherwise


@pytest.mark.parametrize("kernel", KERNELS)
def test_links_follow_each_other_in_time(kernel: str) -> None:
    near = tokens(300, 1, kernel=kernel)
    assert near.links().tolist() == pytest.approx([by_hand(near, i, i + 1) for i in range(299)], abs=2e-5)


def test_links_of_one_place_stay_there() -> None:
    near = tokens(60, 2, same_place=True)
    order = sorted(range(60), key=lambda i: (int(near.row[i]), int(near.column[i]), float(near.seconds[i])))
    expected = [by_hand(near, i, j) for i, j in pairwise(order)]
    assert expected.count(-math.inf) == 8, "one step from each of nine places to the next"
    assert near.links().tolist() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_tokens_have_few_links(n: int) -> None:
    assert len(tokens(n, 0).links()) == max(0, n - 1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 70),
    share=st.floats(0.01, 1),
    span=st.sampled_from([0.0, 3.0, 40.0]),
    kernel=st.sampled_from(["multiply", "spatio_temporal"]),
    same_place=st.booleans(),
)
def test_the_band_that_links_ask_for_is_wide_enough(
    seed: int, n: int, share: float, span: float, kernel: str, same_place: bool
) -> None:
    """The same tokens go as in a search over all pairs, and where links say how wide, the band is never widened."""
    near = tokens(n, seed, span, kernel=kernel, same_place=same_place)
    count, rank = max(1, int(share * n)), np.random.default_rng(seed).permutation(n)
    links, asked = near.links(), []

    def compare(rows: torch.Tensor, reach: float) -> Any:
        asked.append(reach)
        return near.blocks(rows, reach)

    bound = exponential(near.sigma_seconds)
    first = first_reach(links, count, near.sigma_seconds)
    alive, partner = remove_closest(rank, count, compare, first, math.inf, bound)
    plain, others = remove_closest(rank, count, near.blocks, math.inf, math.inf, bound)
    assert alive.tolist() == plain.tolist() and partner[~alive].tolist() == others[~plain].tolist()
    if 2 * count - 1 <= n - 1 and links.sort(descending=True).values[2 * count - 2] > 0:
        assert set(asked) == {first}


def test_a_removal_may_break_two_links() -> None:
    """Alike tokens at 0, .1, .33 and 1.02 s. The second goes first and breaks the two best links; then the pair of the
    first and the third, at .72, is more similar than the third link, but less than the second.
    """
    seconds = torch.tensor([0.0, 0.1, 0.33, 1.02], dtype=torch.float64)
    near = replace(tokens(4, 0), unit=torch.eye(4)[[0] * 4], seconds=seconds, sigma_seconds=1.0)
    asked = []

    def compare(rows: torch.Tensor, reach: float) -> Any:
        asked.append(reach)
        return near.blocks(rows, reach)

    alive, _ = remove_closest(
        np.array([0, 3, 2, 1]), 2, compare, first_reach(near.links(), 2, 1.0), 9.0, exponential(1.0)
    )
    assert alive.tolist() == [True, False, False, True]
    assert asked == [pytest.approx(0.69, abs=2e-3)]
