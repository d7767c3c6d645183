"""Made-up videos: the same at any length and in any order, alike at every size, moving where something moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import interpolate

from strategies.learned.autogaze.training.synthetic_render import outside, paint, render
from strategies.learned.autogaze.training.synthetic_scene import Texture, shots


def test_the_same_whenever_it_is_rendered() -> None:
    long = render(1, 5, 6, 48, 8.0)
    assert long.shape == (6, 48, 48, 3) and long.dtype == torch.uint8
    render(1, 6, 2, 48, 8.0)
    assert torch.equal(render(1, 5, 3, 48, 8.0), long[:3])
    assert not torch.equal(render(1, 6, 6, 48, 8.0), long) and not torch.equal(render(2, 5, 6, 48, 8.0), long)


def test_twice_the_rate_shows_the_same_moments() -> None:
    for index in range(40):
        if all(take.noise == 0 for take in shots(1, index, 1.0)):
            assert torch.equal(render(1, index, 7, 32, 16.0)[::2], render(1, index, 4, 32, 8.0))
            return
    raise AssertionError("no clip without noise among forty")


def test_a_larger_rendering_shows_the_same() -> None:
    """Compared at the size of the smaller: what is left are octaves that it cannot hold, edges and grain."""
    distances = []
    for index in range(12):
        small, large = (render(3, index, 1, size, 8.0)[0].permute(2, 0, 1)[None].float() for size in (48, 192))
        shrunk = interpolate(large, (48, 48), mode="area")
        distances.append(float((shrunk - small).abs().mean()))
    other = render(3, 50, 1, 48, 8.0)[0].permute(2, 0, 1)[None].float()
    assert np.median(distances) < 8 < 30 < float((other - small).abs().mean())


def test_most_clips_move_and_some_do_not() -> None:
    moved = []
    for index in range(30):
        clip = render(4, index, 4, 32, 8.0).float()
        moved.append(float((clip[1:] - clip[:-1]).abs().mean()))
    assert sum(change > 1 for change in moved) > 10 and min(moved) < 0.5


def test_shapes() -> None:
    u, v = torch.tensor([0.0, 0.99, 1.01, 0.7]), torch.tensor([0.0, 0.0, 0.0, 0.95])
    assert (outside("box", u, v) < 0).tolist() == [True, True, False, True]
    assert (outside("ellipse", u, v) < 0).tolist() == [True, True, False, False]
    assert (outside("ring", u, v) < 0).tolist() == [False, True, False, False]
    assert bool((outside("star", u, v) >= outside("ellipse", u, v)).all())


def test_finer_pixels_hold_more_octaves() -> None:
    texture = Texture(7, np.array([[0.0] * 3, [1.0] * 3]), "noise", 0.1, 0.0, 0.8, 3)
    large = paint(texture, 1.0, 256)
    back = interpolate(interpolate(large[None], (32, 32), mode="area"), (256, 256), mode="bilinear")[0]
    assert float((large - back).abs().mean()) > 0.02  # detail that 32 pixels cannot hold
    plain = paint(replace(texture, pattern="plain", mix=1.0), 1.0, 16)
    assert torch.equal(plain, torch.zeros(3, 16, 16))
