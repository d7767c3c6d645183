"""The protocol: which videos, lengths, opacities and budgets, and what a method is asked in each part."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.common import compose_root
from experiments.yardstick.answering import Cell
from experiments.yardstick.method import TUNED, Method
from experiments.yardstick.tuning import Calibration, tuned
from framework.config.parts import build_strategies

OTHER_SPLITS = ("conjunction", "two_evidence", "when", "order")  # count: the model does not pass the gate there
PARTS = {
    "all of it": "",
    "no certainty between groups": "relevance=constant",
    "equal shares": "allocator=equal",
    "no refiner": "refiner=none",
    "random tokens": "scorer=random",
}  # AdaptToken with one part taken away


@dataclass(frozen=True)
class Protocol:
    """Describes one comparison."""

    frames: tuple[int, ...]
    budgets: tuple[int, ...]
    opacities: tuple[float, ...]
    videos: int
    seeds: tuple[int, ...]
    calibration: Calibration
    common: tuple[str, ...]

    @property
    def middle(self) -> int:
        """Returns the budget of the tables that have one alone."""
        return middle(self.budgets)

    def cell(self, frames: int, split: str, opacity: float, seed: int) -> Cell:
        """Returns the questions about one split of videos of one length, at one opacity."""
        values = {
            "benchmark.split": split,
            "benchmark.videos": self.videos,
            "benchmark.frames": frames,
            "benchmark.opacity": opacity,
            "seed": seed,
        }
        return Cell(self.common, values, max(self.budgets), f"{split} {frames} {opacity:g} seed {seed}")


def middle(budgets: Collection[int]) -> int:
    """Returns the budget in the middle."""
    return sorted(budgets)[len(budgets) // 2]


def taken_away(setting: Sequence[str]) -> dict[str, list[str]]:
    """Returns the words of AdaptToken in `setting` with each of its parts taken away; keys of that part go with it."""
    found = {}
    for name, change in PARTS.items():
        group = change.partition("=")[0]
        rest = [word for word in setting if not (group and word.startswith(f"{group}."))]
        found[name] = [*rest, *([change] if change else [])]
    return found


def rows(methods: Sequence[Method], calibration: Calibration, folder: Path = TUNED) -> dict[str, list[str]]:
    """Returns the words of every row: each method as published, where that is known, and tuned, where it can be.

    Raises UsageError where a method has no setting that was tuned under these conditions, and where its strategies
    cannot be built from its words: no row may fail hours after the first.
    """
    found: dict[str, list[str]] = {}
    for method in methods:
        if method.control or not method.settings:
            found[method.name] = method.words(method.published)
            continue
        if method.published:
            found[f"{method.name}, published"] = method.words(method.published)
        found[method.name] = method.words(tuned(method, calibration, folder))
    for words in found.values():
        build_strategies(compose_root([*words, *calibration.common]))
    return found
