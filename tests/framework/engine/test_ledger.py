"""What several questions share is split between them, so that nothing is paid twice."""

from __future__ import annotations

import pytest

from framework.core.outcome import Cost
from framework.engine.ledger import Ledger, peak_bytes


def test_shared_cost_is_split_and_own_cost_is_not() -> None:
    ledger = Ledger()
    ledger.charge("decode", ["a", "b"], Cost(seconds=4.0, passes=1, tokens=10, flops=6.0))
    ledger.charge("decode", ["a"], Cost(seconds=1.0, passes=1, tokens=5, flops=2.0))
    assert ledger.of("a")["decode"] == Cost(3.0, 2, 15, 5.0)
    assert ledger.of("b")["decode"] == Cost(2.0, 1, 10, 3.0)
    assert ledger.spent() == {"decode": Cost(5.0, 2, 15, 8.0)}  # of both together, each pass once


def test_a_stage_is_booked_even_when_it_fails() -> None:
    ledger = Ledger()
    with pytest.raises(RuntimeError), ledger.stage("encode", ["a"], tokens=7):
        raise RuntimeError("broken")
    assert ledger.of("a")["encode"].passes == 1 and ledger.of("a")["encode"].tokens == 7


class Events:
    """A clock like a GPU's: a mark is a place in the order of the work, and is told how late it is only afterwards."""

    def __init__(self) -> None:
        self.marks = 0
        self.read: list[tuple[int, int]] = []

    def mark(self) -> int:
        self.marks += 1
        return self.marks

    def between(self, start: int, end: int) -> float:
        self.read.append((start, end))
        return float(end**2 - start**2)


def test_no_stage_waits_and_seconds_add_up() -> None:
    clock = Events()
    ledger = Ledger(clock)
    with ledger.stage("decode", ["a", "b"]):  # marks 1 and 2: 3 s
        pass
    with ledger.stage("probe", ["a"], tokens=4, flops=8.0):  # 3 and 4: 7 s
        ledger.charge("capture", ["b"], Cost(seconds=2.0, passes=1))
    assert clock.marks == 4 and not clock.read
    assert list(ledger.of("a").items()) == [("decode", Cost(1.5, 1)), ("probe", Cost(7.0, 1, 4, 8.0))]
    assert clock.read == [(1, 2), (3, 4)]
    with ledger.stage("probe", ["b", "a"]):  # 5 and 6: 11 s
        pass
    seconds = [cost.seconds for name in "ab" for cost in ledger.of(name).values()]
    spent = ledger.spent()
    assert sum(seconds) == sum(cost.seconds for cost in spent.values()) == 3 + 7 + 2 + 11
    assert spent["probe"] == Cost(18.0, 2, 4, 8.0)
    assert clock.read == [(1, 2), (3, 4), (5, 6)], "each mark is read once"


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10_000_000 < peak_bytes() < 1_000_000_000_000
