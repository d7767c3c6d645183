"""What a bench is, and how arms are timed against each other.

A bench is one file here (a frozen dataclass with one method) and one file in conf/what; `sieve bench what=NAME` finds
it. Arms that are compared run in turn inside one process, round by round, so that whatever else the machine does meets
all of them. Seconds come from the ledger, like every latency of the project. Beside them stands how long the processor
worked for it, which hardly depends on who else is at work.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from framework.engine.ledger import Ledger

Row = dict[str, Any]  # column -> number or text; all rows of a bench have the same columns


class Bench(ABC):
    """Defines something whose cost can be measured."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Measures, and yields one row of the table after the other."""


class Spent(NamedTuple):
    """Says what running an arm once took."""

    seconds: float
    processor_seconds: float  # over all threads of this process; a GPU's are not among them


def side_by_side(arms: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Spent]]:
    """Runs the arms in turn, round by round, and returns what each of them took in every round that counts.

    The first round warms up and does not count, unless it is the only one.
    """
    spent: dict[str, list[Spent]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, run in arms.items():
            ledger, before = Ledger(), time.process_time()
            with ledger.stage(name, ["bench"]):
                run()
            spent[name].append(Spent(ledger.of("bench")[name].seconds, time.process_time() - before))
    return {name: runs[1:] or runs for name, runs in spent.items()}
