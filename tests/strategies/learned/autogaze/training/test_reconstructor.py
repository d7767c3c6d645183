"""Stage 0: what a step consists of, that it learns, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from framework.training.schedule import Schedule
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.clips import Clips, MadeClips
from strategies.learned.autogaze.training.random_masks import MaskSettings
from strategies.learned.autogaze.training.reconstructor import (
    Batch,
    DrawSettings,
    ReconstructorModule,
    draw_batch,
    measurement,
)

CONFIG = ReconstructorConfig((32, 48), 16, 3, 16, 1, 2, 16, 16, 1, 2, 16, True, True, False, True)
DRAW, MASKS = DrawSettings(6, 2, 2, "square"), MaskSettings((0.1, 0.5), 1.0, 1.0, 0.1)
CLIPS = MadeClips(1, 4, 48, 5, (4.0, 8.0))


@dataclass
class Counting(Clips):
    """Every pixel of frame n of clip i is 10 i + n."""

    count: int = 5
    frames: int = 6
    size: int = 48

    def clip(self, index: int) -> Tensor:
        numbers = torch.arange(self.frames, dtype=torch.uint8) + 10 * index
        return numbers[:, None, None, None].expand(-1, 48, 48, 3).clone()

    def name(self, index: int) -> str:
        return str(index)

    @property
    def identity(self) -> str:
        return "counting"


def batch(seed: int, clips: Clips = CLIPS, draw: DrawSettings = DRAW) -> Batch:
    return draw_batch(np.random.default_rng(seed), clips, CONFIG, draw, MASKS)


def module(rate: float = 1e-3) -> ReconstructorModule:
    torch.manual_seed(0)
    made = ReconstructorModule(Reconstructor(CONFIG), Schedule(10, rate, 1, 1.0, 0.0, 1.0))
    made.log = lambda *_, **__: None
    return made


def test_a_step_holds_windows_of_clips() -> None:
    drawn = batch(0, Counting())
    assert drawn.pixels.shape == (6, 3, 48, 48, 3) and drawn.picked.shape == (6, 3, 13)
    first = drawn.pixels[:, :, 0, 0, 0].long()
    assert bool((first[:, 1:] - first[:, :-1] == 1).all())  # frames in a row
    assert bool((first[:, 0] % 10 <= 3).all()) and len(set((first[:, 0] // 10).tolist())) > 1
    assert drawn.frames.shape == (2, 2) and bool((drawn.frames[:, 1] > drawn.frames[:, 0]).all())


def test_a_step_is_a_function_of_its_seed() -> None:
    one, two, other = batch(1), batch(1), batch(2)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one.pixels, other.pixels)


def test_the_loss_is_the_mean_over_groups() -> None:
    drawn, trained = batch(3), module()
    network = trained.network.eval()
    with torch.no_grad():
        wanted = []
        for row in range(6):
            frames = drawn.frames[row // 3]
            pixels = prepare(drawn.pixels[row : row + 1], 48)
            wanted.append(network.loss(pixels, network(pixels, drawn.picked[row : row + 1], frames), frames).mean())
        assert float(trained.training_step(drawn, 0)) == pytest.approx(float(torch.stack(wanted).mean()), abs=1e-5)


def test_it_learns() -> None:
    trained, drawn = module(), batch(4)
    adam = torch.optim.AdamW([p for p in trained.parameters() if p.requires_grad], lr=3e-3)
    losses = []
    for _ in range(30):
        loss = trained.training_step(drawn, 0)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss))
    assert losses[-1] < 0.9 * losses[0]


def test_measured_is_the_mean_loss_at_three_ratios() -> None:
    trained = module()
    found = measurement(CLIPS, CONFIG, 2)(trained)
    assert list(found) == ["loss at 5%", "loss at 10%", "loss at 20%"]
    assert found == measurement(CLIPS, CONFIG, 2)(trained)
    assert found["loss at 5%"] > found["loss at 20%"] > 0


@pytest.mark.parametrize("change", [{"groups": 4}, {"groups": 0}, {"clips": 0}, {"symmetry": "cube"}])
def test_mistakes(change: dict[str, object]) -> None:
    given = {"clips": 6, "groups": 2, "rebuilt": 2, "symmetry": "square"} | change
    with pytest.raises(ValueError, match=r"recipe\.draw"):
        DrawSettings(**given)  # type: ignore[arg-type]
