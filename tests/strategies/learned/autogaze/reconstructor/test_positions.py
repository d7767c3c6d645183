"""Tables by an independent formula, and their way to other grids; the published slip is held against transformers."""

from __future__ import annotations

import math

import pytest
import torch

from strategies.learned.autogaze.reconstructor.positions import every_scale, sines


def test_sines_by_hand() -> None:
    table = sines(8, 3)
    assert table.shape == (1, 10, 8) and bool((table[0, 0] == 0).all())
    row, column = 2, 1
    angles = [place / 10_000 ** (k / 2) for place in (column, row) for k in range(2)]
    wanted = [math.sin(a) for a in angles[:2]] + [math.cos(a) for a in angles[:2]]
    wanted += [math.sin(a) for a in angles[2:]] + [math.cos(a) for a in angles[2:]]
    assert table[0, 1 + 3 * row + column].tolist() == pytest.approx(wanted)


def test_its_own_grid_is_left_alone() -> None:
    table = torch.randn(1, 17, 8)
    for flat in (False, True):
        assert torch.equal(every_scale(table, (2, 4), flat)[4:], table[0, 1:])


def test_over_rows_and_columns() -> None:
    table = sines(8, 6)
    coarse = every_scale(table, (3,), False).unflatten(0, (3, 3))
    across, down = coarse[..., :4], coarse[..., 4:]
    assert torch.allclose(across, across[:1].expand_as(across), atol=1e-6)  # the column is told by the first half
    assert torch.allclose(down, down[:, :1].expand_as(down), atol=1e-6)
    assert torch.allclose(across[0], down[:, 0], atol=1e-6)
