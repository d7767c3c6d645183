"""Position ids by hand, and the traps of the time axis."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.backbones.positions import on_clock, sequential_ids, text_ids, text_start, time_ids, visual_ids


def seconds(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_half_second_ticks_do_not_share_a_time_id() -> None:
    ids = time_ids("original", torch.arange(4), seconds(0, 0.5, 1, 1.5), tokens_per_second=2, compact_step=2)
    assert ids.tolist() == [0, 1, 2, 3]


def test_two_second_ticks_step_by_four() -> None:
    assert time_ids("original", torch.arange(3), seconds(0, 2, 4), 2, 2).tolist() == [0, 4, 8]


def test_rounding_errors_below_a_whole_id_are_forgiven() -> None:
    assert time_ids("original", torch.arange(1), seconds(1.4999999999), 2, 2).tolist() == [3]


def test_compact_ranks_the_ticks_present() -> None:
    tick = torch.tensor([7, 7, 40, 3000, 3000])
    assert time_ids("compact", tick, seconds(3, 3, 20, 1500, 1500), 2, compact_step=3).tolist() == [0, 0, 3, 6, 6]


def test_visual_ids_by_hand() -> None:
    row, column = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    assert visual_ids(torch.tensor([0, 0, 4]), row, column, start=10).tolist() == [
        [10, 10, 14],
        [10, 10, 11],
        [10, 11, 10],
    ]


@pytest.mark.parametrize(
    ("offset", "last_time", "expected"),
    [("grid", 79, 14), ("grid", 0, 14), ("max_id", 79, 90), ("max_id", 0, 14), ("max_id", 3, 14), ("max_id", 4, 15)],
)
def test_text_start_by_hand(offset: str, last_time: int, expected: int) -> None:
    """Ten text tokens, then a grid of 2 x 4 cells: columns reach id 13."""
    assert text_start(offset, start=10, extent=4, last_time=last_time) == expected


def test_text_ids_are_equal_on_all_axes() -> None:
    assert text_ids(5, 3).tolist() == [[5, 6, 7]] * 3


def test_sequential_ids_count_like_text() -> None:
    ids, after = sequential_ids(5, 3)
    assert ids.tolist() == [[5, 6, 7]] * 3 and after == 8


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=30, unique=True), st.integers(1, 5))
def test_ids_never_go_back_in_time(ticks: list[int], step: int) -> None:
    tick = torch.tensor(sorted(ticks))
    for mode in ("original", "compact"):
        ids = time_ids(mode, tick, tick.double() * 0.5, 2, step)
        assert (ids.diff() >= 1).all()


def test_a_fixed_clock_by_hand() -> None:
    """Two seconds a tick: ids step by four, whatever the real times; the video ends with tick 511."""
    times, clock = on_clock(torch.tensor([0, 0, 1, 7]), torch.arange(512) * 0.1, 2.0)
    assert times.tolist() == [0.0, 0.0, 2.0, 14.0] and clock is not None
    assert len(clock) == 512 and clock[1] == 2.0 and clock[-1] == 1022.0
    assert time_ids("original", torch.arange(4), times, tokens_per_second=2, compact_step=2).tolist() == [0, 0, 4, 28]
    assert on_clock(torch.tensor([3]), None, 0.5)[1] is None
