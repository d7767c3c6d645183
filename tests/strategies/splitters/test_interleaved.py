"""Strided groups by hand, both counts, and the partition for any size."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Timeline
from strategies.splitters.interleaved import Interleaved


def split(splitter: Interleaved, total: int) -> list[list[int]]:
    groups = splitter.split(Timeline("v.mp4", torch.arange(total, dtype=torch.float64), torch.arange(total)[:, None]))
    assert [g.index for g in groups] == list(range(len(groups)))
    return [g.ticks.tolist() for g in groups]


def test_ten_ticks_in_fours_make_three_strided_groups() -> None:
    expected = [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert split(Interleaved(4, "floor_plus_one"), 10) == expected
    assert split(Interleaved(4, "ceil"), 10) == expected


def test_the_counts_differ_by_one_when_the_size_divides() -> None:
    assert split(Interleaved(4, "ceil"), 8) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert split(Interleaved(4, "floor_plus_one"), 8) == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_group_size_of_one_makes_no_empty_group() -> None:
    assert split(Interleaved(1, "floor_plus_one"), 3) == [[0], [1], [2]]


@settings(max_examples=50, deadline=None)
@given(total=st.integers(1, 300), size=st.integers(1, 40), count=st.sampled_from(["floor_plus_one", "ceil"]))
def test_partition_with_sizes_that_differ_by_one_at_most(total: int, size: int, count: Any) -> None:
    groups = split(Interleaved(size, count), total)
    assert sorted(tick for group in groups for tick in group) == list(range(total))
    sizes = {len(group) for group in groups}
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1
    wanted = total // size + 1 if count == "floor_plus_one" else math.ceil(total / size)
    assert len(groups) == min(wanted, total)


def test_bad_keys_are_named() -> None:
    with pytest.raises(ValueError, match=r"splitter\.ticks_per_group"):
        Interleaved(0, "ceil")
    with pytest.raises(ValueError, match=r"splitter\.count must be floor_plus_one or ceil, got 'floor'"):
        Interleaved(4, "floor")  # type: ignore[arg-type]
