"""What every stage cost: seconds, passes, tokens, floating point operations, peak memory.

What several questions share is split equally between those that asked for it, so that the costs of all questions of a
video add up to what was really spent. Every latency figure of the project comes from here.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from framework.core.outcome import Cost
from framework.engine.clock import Clock
from framework.engine.clock import clock as fastest


@dataclass(frozen=True)
class _Booking:
    """A cost, who shares it, and the marks between which its seconds lie; None: they are known."""

    name: str
    payers: tuple[str, ...]
    cost: Cost
    marks: tuple[Any, Any] | None = None


class Ledger:
    """Records the costs of one video: per question and stage, and per stage for all questions together.

    Seconds are those of `clock`; by default it is that of the fastest device. They are read when they are asked for:
    no stage waits for the device.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or fastest()
        self._open: list[_Booking] = []  # whose seconds were not read yet
        self._costs: dict[str, dict[str, Cost]] = defaultdict(lambda: defaultdict(Cost))
        self._spent: dict[str, Cost] = defaultdict(Cost)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    @contextmanager
    def stage(self, name: str, payers: Sequence[str], tokens: int = 0, flops: float = 0.0) -> Iterator[None]:
        """Measures how long a stage takes and books its cost; it is a context manager.

        `payers` are the questions that share it equally. `tokens` and `flops` are totals.
        """
        start = self._clock.mark()
        try:
            yield
        finally:
            cost = Cost(0.0, 1, tokens, flops)
            self._open.append(_Booking(name, tuple(payers), cost, (start, self._clock.mark())))

    def charge(self, name: str, payers: Sequence[str], cost: Cost) -> None:
        """Adds a cost that was measured elsewhere. The payers share its seconds and operations equally.

        Passes and tokens count whole for every payer: each of them saw them.
        """
        self._open.append(_Booking(name, tuple(payers), cost))

    def of(self, payer: str) -> dict[str, Cost]:
        """Returns stage -> cost of one question, in the order in which the stages first ran."""
        self._read()
        return dict(self._costs[payer])

    def spent(self) -> dict[str, Cost]:
        """Returns stage -> cost of all questions together: what was run, however many shared it."""
        self._read()
        return dict(self._spent)

    def _read(self) -> None:
        """Reads the clock for all that was booked since, in that order. It waits for work that is not done yet."""
        for one in self._open:
            seconds = one.cost.seconds if one.marks is None else self._clock.between(*one.marks)
            cost, many = replace(one.cost, seconds=seconds), len(one.payers)
            for payer in one.payers:
                self._costs[payer][one.name] += replace(cost, seconds=seconds / many, flops=cost.flops / many)
            self._spent[one.name] += cost
        self._open.clear()


def peak_bytes() -> int:
    """Returns the highest use of memory, in bytes.

    It is that of the GPU since the ledger began. Where no GPU is used, it is the resident memory of the process since
    it began.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
