"""Multiple-choice questions of the lab: options, the honest answer over them, and where the evidence is.

The text that the model reads is the question and one line per option, nothing else. It knows nothing of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from framework.lab.queries import COUNTS, DIRECTIONS, ZONES, Query, Truth
from framework.lab.tokenizer import LETTERS


@dataclass(frozen=True)
class Evidence:
    """Says where one needle is: its first frame, its life in frames, its cell (row-major)."""

    start: int
    length: int
    cell: int


@dataclass(frozen=True)
class LabQuestion:
    """Holds a posed query.

    `target` is the honest probability of every option given what is shown: uniform if nothing is shown.
    """

    query: Query
    options: tuple[str, ...]
    target: tuple[float, ...]
    truth: Truth
    evidence: tuple[Evidence, ...] = ()

    @property
    def bare(self) -> str:
        """Returns the question without its options."""
        return self.query.text

    @property
    def prompt(self) -> str:
        """Returns the exact user text: the question, then one line per option."""
        lines = [f"{letter} {option}" for letter, option in zip(LETTERS, self.options, strict=False)]
        return "\n".join([self.bare, *lines])

    @property
    def right(self) -> int | None:
        """Returns the index of the right option, or None where what is shown does not decide."""
        best = int(np.argmax(self.target))
        return best if self.target[best] > 0.99 else None


def pose(
    generator: np.random.Generator,
    query: Query,
    truth: Truth,
    options: int,
    decoys: Sequence[int] = (),
    evidence: tuple[Evidence, ...] = (),
) -> LabQuestion:
    """Poses a query: chooses its options and shuffles them.

    `decoys` are wrong values that are offered before random ones. `when` always offers the three zones, `count` the
    four counts, `direction` the four directions, `order` its two keys. `two_evidence` offers the four pairs that two
    values per key make, so that half the evidence leaves two options.
    """
    if query.split == "when":
        values: list[tuple[int, ...]] = [(zone,) for zone in range(len(ZONES))]
    elif query.split == "count":
        values = [(number,) for number in range(len(COUNTS))]
    elif query.split == "direction":
        values = [(way,) for way in range(len(DIRECTIONS))]
    elif query.split == "order":
        values = [(0,), (1,)]
    elif query.split == "two_evidence":
        first, second = (_draw(generator, len(k.asked), t, (), 2) for k, t in zip(query.keys, truth, strict=True))
        values = [(one, two) for one in first for two in second]
    else:
        values = [(value,) for value in _draw(generator, len(query.keys[0].asked), truth[0], decoys, options)]
    values = [values[place] for place in generator.permutation(len(values))]
    fits = [all(t is None or t == v for t, v in zip(truth, value, strict=True)) for value in values]
    target = tuple(float(fit) / sum(fits) for fit in fits)
    return LabQuestion(query, tuple(_words(query, value) for value in values), target, truth, evidence)


def _draw(
    generator: np.random.Generator, known: int, right: int | None, decoys: Sequence[int], options: int
) -> list[int]:
    """The right value if there is one, then decoys, then random others; all different."""
    chosen = [] if right is None else [right]
    for value in (*generator.permutation(list(decoys)).tolist(), *generator.permutation(known).tolist()):
        if len(chosen) < options and int(value) not in chosen:
            chosen.append(int(value))
    return chosen


def _words(query: Query, value: tuple[int, ...]) -> str:
    """An option in words."""
    if query.split == "when":
        return ZONES[value[0]]
    if query.split == "count":
        return COUNTS[value[0]]
    if query.split == "direction":
        return DIRECTIONS[value[0]]
    if query.split == "order":
        return query.keys[value[0]].word
    return " ".join(key.asked[v] for key, v in zip(query.keys, value, strict=True))
