"""What a bench is, and how arms are timed against each other. Knows no bench.

A bench is one file here (a frozen dataclass with one method) and one file in conf/what; `sieve bench what=NAME` finds
it. Arms that are compared run in turn inside one process, round by round, so that whatever else the machine does meets
all of them; seconds come from the ledger, like every latency of the project.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from framework.ledger import Ledger

Row = dict[str, Any]  # column -> number or text; all rows of a bench have the same columns


class Bench(ABC):
    """Something whose cost can be measured."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Measure, one row of the table after the other."""


def side_by_side(arms: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every arm in every round that counts: the first warms up and does not, unless it is the only one."""
    ledgers = []
    for _ in range(rounds):
        ledgers.append(Ledger())
        for name, run in arms.items():
            with ledgers[-1].stage(name, ["bench"]):
                run()
    counted = ledgers[1:] or ledgers
    return {name: [ledger.of("bench")[name].seconds for ledger in counted] for name in arms}
