"""FlexSelect's published arithmetic by hand: whole ticks, then the floor of an equal share."""

from __future__ import annotations

import pytest

from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.equal_whole_ticks import EqualWholeTicks


def test_contract() -> None:
    check_allocator(EqualWholeTicks())


@pytest.mark.parametrize(
    ("budget", "ticks", "rounded"), [(7040, 209, 7106), (7106, 209, 7106), (32, 4, 32), (1, 49, 49)]
)
def test_the_budget_becomes_whole_ticks(budget: int, ticks: int, rounded: int) -> None:
    assert EqualWholeTicks().rounded(budget, ticks) == rounded


def test_the_published_numbers() -> None:
    """1,024 frames of 209 tokens a tick: 8 groups of 64 ticks; 2 of the 7,106 tokens are not spent."""
    groups = [toys.scored_group(i, 64 * 209, -1.0) for i in range(8)]
    assert EqualWholeTicks().allocate(groups, toys.QUESTION, 7106) == [888] * 8


def test_a_video_that_fits_is_kept_whole() -> None:
    groups = [toys.scored_group(0, 10, -1.0, refused=1), toys.scored_group(1, 6, -1.0)]
    assert EqualWholeTicks().allocate(groups, toys.QUESTION, 15) == [9, 6]
    assert EqualWholeTicks().allocate(groups, toys.QUESTION, 14) == [7, 6]  # 7 each; what is left is not given away


def test_fewer_tokens_than_groups_are_one_each() -> None:
    groups = [toys.scored_group(i, 6, value) for i, value in enumerate([-1.0, -0.1, -0.5])]
    assert EqualWholeTicks().allocate(groups, toys.QUESTION, 2) == [0, 1, 1]
