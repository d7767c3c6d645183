"""A gaze that has watched its clips answers like one that has not, and its stem learns the same."""

from __future__ import annotations

from typing import Any

import torch

from strategies.learned.autogaze.gaze.decoding import Control, gaze_clip
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.training.encoded_clips import Watched

GAZE = GazeConfig((32, 48), 16, 16, 1, 2, 16, 3, 1, 3, 1e4, None, 512)  # 13 ids, three heads


def test_rollouts_of_a_clip_share_what_was_seen_of_it() -> None:
    shown = torch.randint(0, 256, (2, 4, 48, 48, 3), generator=torch.Generator().manual_seed(1)).byte()
    gaze, pixels = Gaze.random(GAZE, 0), prepare(shown, 48)
    many, picks = (
        pixels.repeat_interleave(3, 0),
        Picks.of([[[n], [n, 1 + n], [], [9]] for n in range(6)], GAZE.vocabulary),
    )
    watched: Any = Watched(gaze, pixels, 3)
    one, two = teacher_forced(gaze, many, picks), teacher_forced(watched, many, picks)
    assert torch.allclose(one.log_probabilities, two.log_probabilities, atol=1e-6)
    slopes = [torch.autograd.grad(f.log_probabilities.sum(), list(gaze.stem.parameters())) for f in (one, two)]
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in zip(*slopes, strict=True))
    control = Control(torch.arange(1, 5))
    assert torch.equal(gaze_clip(watched, many, control).ids, gaze_clip(gaze, many, control).ids)
