"""Only the most relevant groups share the budget."""

from __future__ import annotations

import pytest

from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.top_groups import TopGroups

GROUPS = [toys.scored_group(i, 10, relevance) for i, relevance in enumerate([-0.9, -0.1, -0.5, -0.7, -0.3])]


@pytest.mark.parametrize("groups", [1, 2, 4, 100])
def test_contract(groups: int) -> None:
    check_allocator(TopGroups(groups))


def test_the_most_relevant_share_equally() -> None:
    assert TopGroups(2).allocate(GROUPS, toys.QUESTION, 12) == [0, 6, 0, 0, 6]
    assert TopGroups(2).allocate(GROUPS, toys.QUESTION, 13) == [0, 7, 0, 0, 6]


def test_overflow_goes_to_the_next_relevant() -> None:
    assert TopGroups(2).allocate(GROUPS, toys.QUESTION, 27) == [0, 10, 4, 3, 10]
    assert TopGroups(1).allocate(GROUPS, toys.QUESTION, 27) == [0, 10, 7, 0, 10]


def test_more_groups_than_there_are() -> None:
    assert TopGroups(9).allocate(GROUPS, toys.QUESTION, 10) == [2, 2, 2, 2, 2]


def test_no_group_at_all_is_named() -> None:
    with pytest.raises(ValueError, match=r"allocator\.groups must be >= 1, got 0"):
        TopGroups(0)
