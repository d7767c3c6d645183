"""Arms take turns, and what counts is every round but the first."""

from __future__ import annotations

import pytest

from framework.profiling.base import side_by_side


@pytest.mark.parametrize(("rounds", "counted"), [(1, 1), (2, 1), (4, 3)])
def test_arms_take_turns_and_the_first_round_warms_up(rounds: int, counted: int) -> None:
    ran: list[str] = []
    spent = side_by_side({name: lambda name=name: ran.append(name) for name in "ab"}, rounds)
    assert ran == ["a", "b"] * rounds
    assert {name: len(runs) for name, runs in spent.items()} == {"a": counted, "b": counted}
    assert all(run.seconds >= 0 and run.processor_seconds >= 0 for runs in spent.values() for run in runs)
