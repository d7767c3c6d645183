"""Operations counted from sizes, against torch's own count of the matrix products of a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from strategies.learned.autogaze.gaze.cost import flops
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks


@torch.no_grad()
def test_the_count_is_that_of_one_parallel_pass(small: Callable[..., Gaze], clips: Callable[..., Tensor]) -> None:
    gaze, frames, picks = small(), 5, 8
    given = Picks.of([[list(range(picks))] * frames], gaze.vocabulary)
    with FlopCounterMode(display=False) as counter:
        teacher_forced(gaze, clips(1, frames), given)
    slots, width = frames * (9 + picks), gaze.config.width
    counted = counter.get_total_flops()
    attention = counter.get_flop_counts()["Global"].get(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, 0)
    whole = 2 * gaze.config.layers * slots * (slots + 1) * width  # causal half of what attention does
    spare = 2 * frames * (width * gaze.config.heads_ahead)  # the loss head is read once more there
    assert flops(gaze.config, frames, picks) == pytest.approx(counted - attention + whole - spare, rel=0.01)


def test_more_frames_or_picks_cost_more(small: Callable[..., Gaze]) -> None:
    config = small().config
    assert flops(config, 1, 1) < flops(config, 1, 5) < flops(config, 2, 5)
