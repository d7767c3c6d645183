"""Stretches of neighbouring ticks, cut by hand, and the partition for any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Timeline
from strategies.splitters.contiguous import Contiguous


def timeline(total: int) -> Timeline:
    return Timeline("v.mp4", torch.arange(total, dtype=torch.float64), torch.arange(total)[:, None])


def test_ten_ticks_in_fours_leave_a_short_last_group() -> None:
    groups = Contiguous(4).split(timeline(10))
    assert [g.ticks.tolist() for g in groups] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [g.index for g in groups] == [0, 1, 2]


@settings(max_examples=40, deadline=None)
@given(total=st.integers(1, 300), size=st.integers(1, 40))
def test_every_tick_lies_in_one_group_of_neighbours(total: int, size: int) -> None:
    groups = Contiguous(size).split(timeline(total))
    assert torch.cat([g.ticks for g in groups]).tolist() == list(range(total))
    assert all(len(g) == size for g in groups[:-1]) and len(groups[-1]) <= size


def test_a_size_below_one_names_its_key() -> None:
    with pytest.raises(ValueError, match=r"splitter\.ticks_per_group must be >= 1, got 0"):
        Contiguous(0)
