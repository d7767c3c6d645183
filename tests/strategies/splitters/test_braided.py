"""Strands of stretches, by hand, and the partition for any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Timeline
from strategies.splitters.braided import Braided


def timeline(total: int) -> Timeline:
    return Timeline("v.mp4", torch.arange(total, dtype=torch.float64), torch.arange(total)[:, None])


def test_nine_ticks_in_two_strands_of_two() -> None:
    groups = Braided(2, strands=2).split(timeline(9))
    assert [g.ticks.tolist() for g in groups] == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]
    assert [g.index for g in groups] == [0, 1, 2, 3, 4]


@settings(max_examples=40, deadline=None)
@given(total=st.integers(1, 300), size=st.integers(1, 40), strands=st.integers(1, 5))
def test_every_tick_lies_in_one_strand_and_a_strand_strides(total: int, size: int, strands: int) -> None:
    groups = Braided(size, strands).split(timeline(total))
    assert sorted(torch.cat([g.ticks for g in groups]).tolist()) == list(range(total))
    assert all(len(g) <= size and set(g.ticks.diff().tolist()) <= {strands} for g in groups)


def test_a_key_below_one_is_named() -> None:
    with pytest.raises(ValueError, match=r"splitter\.ticks_per_group must be >= 1, got 0"):
        Braided(0, 2)
    with pytest.raises(ValueError, match=r"splitter\.strands must be >= 1, got 0"):
        Braided(4, 0)
