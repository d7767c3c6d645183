"""Proxies and distances against plain loops."""

from __future__ import annotations

import pytest
import torch

from framework.ops.greedy.distances import between, prepare, proxies


@pytest.mark.parametrize(("cell", "side"), [((8, 8), 4), ((6, 9), 3), ((4, 4), 1)])
def test_a_proxy_is_the_mean_of_its_window(cell: tuple[int, int], side: int) -> None:
    height, width = cell
    pixels = torch.randint(0, 256, (3, 2, 3, 2 * height + 1, 3 * width), dtype=torch.uint8)  # a row too many
    found = proxies(pixels, cell, side)
    assert found.shape == (3, 2, 3, 2 * 3 * side * side)
    steps = height // side, width // side
    for row, column, frame, colour, down, right in ((0, 0, 0, 0, 0, 0), (1, 2, 1, 2, side - 1, 0)):
        top, left = row * height + down * steps[0], column * width + right * steps[1]
        window = pixels[2, frame, colour, top : top + steps[0], left : left + steps[1]]
        at = ((frame * 3 + colour) * side + down) * side + right
        assert float(found[2, row, column, at]) == pytest.approx(float(window.double().mean()) / 255, abs=1e-6)


def test_windows_that_do_not_divide_stay_in_their_cell() -> None:
    pixels = torch.zeros(1, 1, 3, 5, 10, dtype=torch.uint8)
    pixels[..., 5:] = 255  # the right one of two cells of 5 x 5
    found = proxies(pixels, (5, 5), 4)
    assert float(found[0, 0, 0].max()) == 0.0 and float(found[0, 0, 1].min()) == 1.0


def test_distances_by_loops() -> None:
    noise = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 3, 7, generator=noise), torch.randn(2, 4, 7, generator=noise)
    for b, i, j in ((0, 0, 0), (1, 2, 3), (0, 1, 2)):
        one, other = x[b, i].double(), y[b, j].double()
        cosine = float(one @ other / (one.norm() * other.norm()))
        ready = prepare(x.view(6, 7), "features").view(2, 3, 7), prepare(y.view(8, 7), "features").view(2, 4, 7)
        assert float(between(*ready, "features")[b, i, j]) == pytest.approx(1 - cosine, abs=1e-5)
        assert float(between(x, y, "pixels")[b, i, j]) == pytest.approx(float((one - other).abs().mean()), abs=1e-6)


def test_duplicates_are_no_distance_apart_and_opposites_two() -> None:
    one = torch.randn(1, 512, generator=torch.Generator().manual_seed(2))
    ready = prepare(torch.cat([one, 3.7 * one, -one, torch.zeros_like(one)]), "features")
    assert between(ready, ready, "features")[0].tolist() == [0.0, 0.0, 2.0, 1.0]
