"""Arms take turns, and what counts is every round but the first."""

from __future__ import annotations

import pytest

from framework.benches.base import side_by_side


@pytest.mark.parametrize(("rounds", "counted"), [(1, 1), (2, 1), (4, 3)])
def test_arms_take_turns_and_the_first_round_warms_up(rounds: int, counted: int) -> None:
    ran: list[str] = []
    seconds = side_by_side({name: lambda name=name: ran.append(name) for name in "ab"}, rounds)
    assert ran == ["a", "b"] * rounds
    assert {name: len(spent) for name, spent in seconds.items()} == {"a": counted, "b": counted}
    assert all(second >= 0 for spent in seconds.values() for second in spent)
