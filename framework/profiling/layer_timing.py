"""Watches the layers of a network while it runs: what enters them, and how long it is inside.

Layers are alike, so that the time of a run with some of them says that of a run with all. What is around them is there
once, however many there are.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from framework.profiling.base import Spent


class Layers:
    """Watches some `layers` of a network that has `depth` of them. Its hooks stay until `close`."""

    def __init__(self, layers: nn.ModuleList, depth: int) -> None:
        self.rows: dict[str, int] = {}  # run -> rows that enter the first layer
        self._inside: defaultdict[str, list[Spent]] = defaultdict(list)
        self._more = depth / len(layers) - 1
        enter, leave = layers[0].register_forward_pre_hook, layers[-1].register_forward_hook
        self._hooks = [enter(self._enter), leave(self._leave)]

    def around(self, name: str, run: Callable[[], object]) -> None:
        """Runs `run`, and records under `name` the rows that entered the layers and what these took."""
        run()
        self.rows[name] = self._entered
        self._inside[name].append(self._took)

    def whole(self, took: Mapping[str, Sequence[Spent]]) -> dict[str, list[Spent]]:
        """Estimates what runs would have taken with all layers, given what those of the same names took with these."""
        return {
            name: [
                Spent(*(one + self._more * part for one, part in zip(run, within, strict=True)))
                for run, within in zip(took[name], inside[-len(took[name]) :], strict=True)
            ]
            for name, inside in self._inside.items()
        }

    def close(self) -> None:
        """Removes the hooks, so that nothing is watched any longer."""
        for hook in self._hooks:
            hook.remove()

    def _enter(self, _: object, arguments: tuple[Tensor, ...]) -> None:
        self._entered = arguments[0].shape[:-1].numel()
        self._before = _now()

    def _leave(self, *_: object) -> None:
        self._took = Spent(*(after - before for before, after in zip(self._before, _now(), strict=True)))


def _now() -> tuple[float, float]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()
