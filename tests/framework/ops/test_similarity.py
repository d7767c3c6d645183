"""Cosines by the block and living nearest neighbours, against plain matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from framework.ops.similarity import LISTED, Blocks, LivingNeighbours, cosine_blocks, unit_rows


def _unit(n: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(n, 6, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("reach", [0.0, 1.5, 4.0, math.inf])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_hold_every_pair_within_reach(reach: float, size: int) -> None:
    unit, seconds = _unit(40, 0), torch.arange(40, dtype=torch.float64) // 2 * 1.5
    rows = torch.tensor([0, 5, 6, 20, 39, 3])
    found = {}
    for part, columns, cosine, gap in cosine_blocks(unit, seconds, rows, reach, size):
        assert cosine.shape == gap.shape == (len(part), len(columns))
        for i, row in enumerate(part.tolist()):
            for j, column in enumerate(columns.tolist()):
                found[row, column] = (float(cosine[i, j]), float(gap[i, j]))
    for row in rows.tolist():
        for column in range(40):
            distance = abs(float(seconds[row] - seconds[column]))
            if distance <= reach:
                assert found[row, column] == pytest.approx((float(unit[row] @ unit[column]), distance), abs=1e-5)


def test_no_rows_no_blocks() -> None:
    assert list(cosine_blocks(_unit(3, 0), torch.arange(3.0), torch.arange(0))) == []


@pytest.mark.parametrize("n", [1, 2, LISTED, LISTED + 1, 60])
def test_neighbours_stay_true_while_tokens_go(n: int) -> None:
    noise = np.random.default_rng(n)
    matrix = noise.random((n, n)).round(2).astype(np.float32)  # two digits: with ties
    matrix = np.maximum(matrix, matrix.T)
    matrix[noise.random((n, n)) < 0.3] = -np.inf
    matrix = np.minimum(matrix, matrix.T)  # symmetric, with unrelated pairs
    np.fill_diagonal(matrix, -np.inf)

    def blocks(rows: torch.Tensor) -> Blocks:
        for part in rows.split(5):
            yield part, torch.arange(n), torch.from_numpy(matrix)[part]

    near = LivingNeighbours(n, blocks)
    alive = np.ones(n, dtype=bool)
    for token in noise.permutation(n).tolist():
        best = np.where(alive[None, :] & alive[:, None], matrix, -np.inf).max(1)
        assert np.array_equal(near.similarity, best)
        has = near.partner >= 0
        assert np.array_equal(has & alive, (best > -np.inf) & alive)
        for i in np.flatnonzero(has & alive):
            assert matrix[i, near.partner[i]] == best[i] and alive[near.partner[i]]
        closest = set(near.closest().tolist())
        pairs = {i for i in range(n) if alive[i] and best[i] == best.max()}
        assert closest == (pairs if best.max() > -np.inf else set(np.flatnonzero(alive).tolist()))
        near.remove(token)
        alive[token] = False
        assert np.array_equal(near.alive, alive)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unit_rows_are_those_of_the_order(dtype: torch.dtype) -> None:
    """Straight stretches and mixed ones; a zero stays a zero."""
    noise = torch.Generator().manual_seed(4)
    given = torch.randn(300, 6, generator=noise).to(dtype)
    given[7] = 0
    for order in (torch.arange(300), torch.randperm(300, generator=noise), torch.tensor([7, 8, 9]), torch.arange(0)):
        expected = torch.nn.functional.normalize(given[order].float(), dim=-1)
        assert torch.allclose(unit_rows(given, order), expected, atol=1e-7)


@pytest.mark.parametrize("size", [None, 3])
def test_rows_in_any_order(size: int | None) -> None:
    unit, seconds = _unit(30, 1), torch.arange(30, dtype=torch.float64)
    rows = torch.randperm(30, generator=torch.Generator().manual_seed(5))
    blocks = list(cosine_blocks(unit, seconds, rows, 4.0, size))
    assert torch.equal(torch.cat([part for part, *_ in blocks]), rows)
    for part, columns, cosine, gap in blocks:
        assert torch.allclose(cosine, unit[part] @ unit[columns].T, atol=1e-6)
        assert torch.equal(gap, (part[:, None] - columns).abs().double())
