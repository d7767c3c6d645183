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


def test_peak_memory_is_that_of_this_process() -> None:
    assert 10_000_000 < peak_bytes() < 1_000_000_000_000
