"""What every stage cost: seconds, passes, tokens, floating point operations, peak memory.

What several questions share is split equally between those that asked for it, so that the costs of all questions of a
video add up to what was really spent. Every latency figure of the project comes from here.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from framework.core.outcome import Cost


class Ledger:
    """Records the costs of one video: per question and stage, and per stage for all questions together."""

    def __init__(self) -> None:
        self._costs: dict[str, dict[str, Cost]] = defaultdict(lambda: defaultdict(Cost))
        self._spent: dict[str, Cost] = defaultdict(Cost)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    @contextmanager
    def stage(self, name: str, payers: Sequence[str], tokens: int = 0, flops: float = 0.0) -> Iterator[None]:
        """Measures how long a stage takes and books its cost; it is a context manager.

        `payers` are the questions that share it equally. `tokens` and `flops` are totals.
        """
        _wait_for_gpu()
        start = time.perf_counter()
        try:
            yield
        finally:
            _wait_for_gpu()
            self.charge(name, payers, Cost(time.perf_counter() - start, 1, tokens, flops))

    def charge(self, name: str, payers: Sequence[str], cost: Cost) -> None:
        """Adds a cost that was measured elsewhere. The payers share its seconds and operations equally.

        Passes and tokens count whole for every payer: each of them saw them.
        """
        share = Cost(cost.seconds / len(payers), cost.passes, cost.tokens, cost.flops / len(payers))
        for payer in payers:
            self._costs[payer][name] += share
        self._spent[name] += cost

    def of(self, payer: str) -> dict[str, Cost]:
        """Returns stage -> cost of one question, in the order in which the stages first ran."""
        return dict(self._costs[payer])

    def spent(self) -> dict[str, Cost]:
        """Returns stage -> cost of all questions together: what was run, however many shared it."""
        return dict(self._spent)


def peak_bytes() -> int:
    """Returns the highest use of memory, in bytes.

    It is that of the GPU since the ledger began. Where no GPU is used, it is the resident memory of the process since
    it began.
    """
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
