"""The adapter without its tower: all that it does before the tower runs, and the tower does not."""

from __future__ import annotations

import torch

from framework.core.types import Frames, Group
from framework.profiling.towerless import Towerless, pixel_seconds, towerless


def test_everything_but_the_tower_runs(monkeypatch) -> None:
    adapter = towerless("adapttoken", "cpu", 56 * 84)
    seen: list[torch.Tensor] = []
    bare = Towerless._tower

    def tower(self: Towerless, pixels: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        seen.append(pixels)
        return bare(self, pixels, keep)

    monkeypatch.setattr(Towerless, "_tower", tower)
    monkeypatch.setattr(type(adapter.tower), "forward", lambda *_, **__: 1 / 0)
    pixels = torch.randint(0, 256, (3, 2, 3, 56, 84), dtype=torch.uint8)
    frames = Frames(pixels, torch.arange(3, dtype=torch.float64))
    assert adapter.frame_size(56, 84) == (56, 84)
    assert len(adapter.encode(frames, adapter.layout(torch.arange(3), 56, 84))) == 3 * 6
    assert torch.equal(torch.cat(seen), pixels)  # what the adapter hands to its tower, all of it
    assert pixel_seconds(adapter, [(Group(0, torch.arange(3)), frames)] * 2) > 0
    assert len(seen) == 3
