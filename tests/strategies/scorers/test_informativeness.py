"""Shannon entropy of a cell's grey levels, against closed forms and numpy's histogram."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from framework.core.types import Frames
from framework.core.view import GroupView, Needs
from framework.testing import toys
from strategies.scorers.informativeness import Informativeness


def _view(pixels: torch.Tensor) -> GroupView:
    view = toys.view(Needs(pixels=True), ticks=len(pixels))
    return replace(view, shown_frames=Frames(pixels, view.seconds))


def test_flat_half_and_half_and_all_levels() -> None:
    pixels = torch.full((1, 1, 3, 24, 32), 77, dtype=torch.uint8)  # cells of 8 x 8 pixels
    pixels[..., 0:8, 8:12] = 200  # second cell: two levels, half each
    pixels[..., 0:8, 16:24] = (torch.arange(64, dtype=torch.uint8) * 4).view(8, 8)  # third cell: 64 levels
    values = Informativeness(bins=256).score(_view(pixels)).values
    assert values[:3].tolist() == pytest.approx([0.0, math.log(2), math.log(64)], abs=1e-5)
    assert values[3:].abs().max() == 0.0
    assert float(Informativeness(bins=16).score(_view(pixels)).values[2]) == pytest.approx(math.log(16), abs=1e-5)


def test_the_frames_of_a_tick_are_one_content() -> None:
    pixels = torch.zeros(1, 2, 3, 24, 32, dtype=torch.uint8)
    pixels[:, 1] = 255
    assert Informativeness(bins=2).score(_view(pixels)).values.tolist() == pytest.approx([math.log(2)] * 12, abs=1e-6)


def test_against_numpy() -> None:
    view = toys.view(Needs(pixels=True), seed=3, ticks=2)
    values, bins = Informativeness(bins=10).score(view).values, 10
    for n in range(len(view.layout)):
        y, x = int(view.layout.row[n]) * toys.CELL, int(view.layout.column[n]) * toys.CELL
        cell = view.frames.pixels[n // 12, ..., y : y + toys.CELL, x : x + toys.CELL].numpy().astype(float)
        counts, _ = np.histogram(cell.sum(1), bins=np.arange(bins + 1) * 766 / bins)
        share = counts[counts > 0] / counts.sum()
        assert float(values[n]) == pytest.approx(float(-(share * np.log(share)).sum()), abs=1e-5)


def test_bounds_and_needs() -> None:
    scorer = Informativeness(bins=8)
    values = scorer.score(toys.view(scorer.needs, seed=1)).values
    assert float(values.min()) >= 0.0 and float(values.max()) <= math.log(8) + 1e-6
    assert scorer.comparable and scorer.needs == Needs(pixels=True)


@pytest.mark.parametrize("bins", [1, 257])
def test_bad_bins_are_named(bins: int) -> None:
    with pytest.raises(ValueError, match=r"scorer\.bins must be 2\.\.256"):
        Informativeness(bins)
