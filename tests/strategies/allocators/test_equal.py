"""The same share for every group."""

from __future__ import annotations

from framework.testing import toys
from framework.testing.contracts import check_allocator
from strategies.allocators.equal import Equal


def test_contract() -> None:
    check_allocator(Equal())


def test_shares() -> None:
    groups = [
        toys.scored_group(i, size, relevance) for i, (size, relevance) in enumerate([(9, -1.0), (9, -0.1), (9, -0.5)])
    ]
    assert Equal().allocate(groups, toys.QUESTION, 9) == [3, 3, 3]
    assert Equal().allocate(groups, toys.QUESTION, 11) == [3, 4, 4]  # what doesn't divide goes to the more relevant


def test_what_a_short_group_cannot_take_goes_to_the_others() -> None:
    groups = [toys.scored_group(0, 5, -0.1, refused=3), toys.scored_group(1, 20, -1.0), toys.scored_group(2, 20, -1.0)]
    assert Equal().allocate(groups, toys.QUESTION, 12) == [2, 5, 5]
