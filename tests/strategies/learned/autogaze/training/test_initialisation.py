"""A new gaze tells detail from plain surfaces, and change from stillness, before it has learned anything."""

from __future__ import annotations

import pytest
import torch

from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.training.detail_target import Detail
from strategies.learned.autogaze.training.initialisation import initialise

SMALL = GazeConfig((32, 48), 16, 16, 1, 2, 16, 3, 1, 3, 1e4, None, 512)


def spread(gaze: Gaze, ticks: list[torch.Tensor]) -> torch.Tensor:
    """What the stem makes of frames u8 [S, S]: f32 [T, P, D]."""
    frames = torch.stack(ticks)[None, ..., None].expand(-1, -1, -1, -1, 3).byte()
    return gaze.stem(prepare(frames, gaze.config.side))[0][0]


def test_the_same_seed_is_the_same_gaze() -> None:
    one, two, other = initialise(SMALL, 0), initialise(SMALL, 0), initialise(SMALL, 1)
    pairs = list(zip(one.parameters(), two.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs) and not all(torch.equal(a, c) for a, _, c in pairs)
    assert all(bool(a.isfinite().all()) for a, _, _ in pairs) and not one.training


def test_detail_is_told_from_plain_surfaces() -> None:
    gaze = initialise(GazeConfig.lab(), 0)
    check = 40.0 * ((torch.arange(112)[:, None] // 2 + torch.arange(112) // 2) % 2)
    plain = torch.full((112, 112), 120.0)
    one = plain.clone()
    one[32:48, 48:64] += check[32:48, 48:64] - 20  # the mean of the patch stays
    still, seen = spread(gaze, [plain])[0], spread(gaze, [one])[0]
    apart = (seen - still).norm(dim=1)
    assert int(apart.argmax()) == 2 * 7 + 3
    weak = plain.clone()
    weak[32:48, 48:64] += (check[32:48, 48:64] - 20) / 4
    less = (spread(gaze, [weak])[0] - still).norm(dim=1)
    assert 0 < float(less[17]) < 0.6 * float(apart[17])  # the norm leaves it its strength


def test_change_is_told_from_stillness() -> None:
    gaze = initialise(GazeConfig.lab(), 0)
    generator = torch.Generator().manual_seed(0)
    scene = torch.randint(0, 256, (112, 112), generator=generator).float()
    other = scene.clone()
    other[64:80, 16:32] = torch.randint(0, 256, (16, 16), generator=generator).float()
    tokens = spread(gaze, [scene, scene, scene, scene, other])
    still, changed = ((tokens[n] - tokens[n - 1]).norm(dim=1) for n in (3, 4))
    assert float(still.max()) == 0  # the stem looks two frames back
    assert int(changed.argmax()) == 4 * 7 + 1 and float(changed[29]) > 0.2 * float(tokens[3, 29].norm())


def test_what_the_stem_is_told_by_hand() -> None:
    detail = Detail(Gaze.random(SMALL, 0))
    frames = torch.zeros(1, 2, 3, 48, 48)
    frames[0, 1, :, 16:32, 32:] = 0.98  # one patch of nine, in the second frame
    wanted = detail.wanted(frames)
    assert wanted.shape == (1, 2, 9, 2)
    nothing = torch.tensor(0.02 / 0.12).log()
    assert torch.allclose(wanted[0, 0], nothing.expand(9, 2))
    change = 0.12 * wanted[0, 1, :, 1].exp()
    assert change[5] == pytest.approx(1.0, abs=1e-5) and torch.allclose(
        change[[0, 1, 2, 3, 4, 6, 7, 8]], torch.tensor(0.02)
    )
    assert int(wanted[0, 1, :, 0].argmax()) == 5  # a sharp square is what a coarse scale loses
    assert torch.allclose(detail.wanted(torch.full((1, 1, 3, 48, 48), 0.5))[..., 0], nothing, atol=1e-3)


def test_the_head_learns_and_the_stem_with_it() -> None:
    torch.manual_seed(0)
    gaze, pixels = initialise(SMALL, 0), torch.randn(2, 3, 3, 48, 48)
    detail = Detail(gaze)
    tokens, _ = gaze.vision(pixels)
    first = detail.loss(gaze, tokens, pixels)
    assert first.item() == pytest.approx(detail.wanted(pixels).square().mean().item())
    descent = torch.optim.Adam([*gaze.stem.parameters(), *detail.parameters()], 1e-2)
    for _ in range(30):
        descent.zero_grad()
        detail.loss(gaze, gaze.vision(pixels)[0], pixels).backward()
        descent.step()
    assert detail.loss(gaze, gaze.vision(pixels)[0], pixels).item() < 0.3 * first.item()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in gaze.stem.parameters())
