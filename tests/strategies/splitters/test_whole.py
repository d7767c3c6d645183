"""One group with every tick."""

from __future__ import annotations

import pytest
import torch

from framework.core.types import Timeline
from strategies.splitters.whole import Whole


@pytest.mark.parametrize("total", [1, 2, 9])
def test_one_group_holds_every_tick_in_order(total: int) -> None:
    timeline = Timeline("v.mp4", torch.arange(total, dtype=torch.float64), torch.arange(total)[:, None])
    (group,) = Whole().split(timeline)
    assert group.index == 0
    assert group.ticks.tolist() == list(range(total))
