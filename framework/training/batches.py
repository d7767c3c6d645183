"""Batches that are a pure function of (seeds, step), so that a resumed training sees what an undisturbed one would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset


class Steps(IterableDataset):
    """Yields the batches first..last-1: `make(generator, step)`, each with a random generator of its own.

    Only one worker may read it. A run resumes by moving `first` before iteration starts.
    """

    def __init__(self, make: Callable[[np.random.Generator, int], Any], last: int, seeds: tuple[int, ...]) -> None:
        self.make, self.last, self.seeds, self.first = make, last, seeds, 0

    def __iter__(self) -> Iterator[Any]:
        """Yields the batches in order."""
        for step in range(self.first, self.last):
            yield self.make(np.random.default_rng([*self.seeds, step]), step)
