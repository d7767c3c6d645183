"""What can be asked about a scene, and what a careful viewer of given objects would answer.

A query names objects by keys ("the small star", "the red shape"). It knows the wording and the truth; which options are
offered is `questions.py`. `wide` asks what `attribute` does, about a larger picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framework.lab.world import COLOURS, GRID, SHAPES, SIZES, WIDE

SPLITS = ("attribute", "conjunction", "two_evidence", "when", "order", "count", "direction", "wide")
ZONES = ("start", "middle", "end")  # thirds of the time that is shown
DIRECTIONS = ("left", "right", "up", "down")
STEPS = ((0, -1), (0, 1), (-1, 0), (1, 0))  # of the directions: pixels down, pixels right
COUNTS = ("1", "2", "3", "4")  # objects that a question of `count` may mean
Truth = tuple[int | None, ...]


@dataclass(frozen=True)
class Key:
    """Names the objects with one attribute ("shape" or "colour") of this value, and of one size if `size` is given."""

    attribute: str
    value: int
    size: int | None = None

    @property
    def word(self) -> str:
        """Returns the word that names the value."""
        return (SHAPES if self.attribute == "shape" else COLOURS)[self.value]

    @property
    def phrase(self) -> str:
        """Returns how a question names the objects, such as "small star" or "red shape"."""
        size = "" if self.size is None else f"{SIZES[self.size]} "
        return f"{size}{self.word}" if self.attribute == "shape" else f"{size}{self.word} shape"

    @property
    def asked(self) -> tuple[str, ...]:
        """Lists the words that the other attribute can take."""
        return COLOURS if self.attribute == "shape" else SHAPES

    def matches(self, objects: np.ndarray) -> np.ndarray:
        """Says which objects are meant: i1 [..., 3] of shape, colour, size -> bool [...]."""
        meant = objects[..., 0 if self.attribute == "shape" else 1] == self.value
        return meant if self.size is None else meant & (objects[..., 2] == self.size)

    def answers(self, objects: np.ndarray) -> list[int]:
        """Lists every value that the other attribute takes among the objects meant, sorted."""
        meant = objects[self.matches(objects)]
        return sorted({int(value) for value in meant[:, 1 if self.attribute == "shape" else 0]})


def grid_of(split: str) -> int:
    """Returns the number of cells per side of the frames of a split."""
    return WIDE if split == "wide" else GRID


@dataclass(frozen=True)
class Query:
    """Holds a question before its options: a split and one key, or two for `two_evidence` and `order`.

    Raises ValueError for an unknown split and for another number of keys.
    """

    split: str
    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"unknown split {self.split!r}; known: {', '.join(SPLITS)}")
        if len(self.keys) != (2 if self.split in ("two_evidence", "order") else 1):
            raise ValueError(f"split {self.split!r} got {len(self.keys)} keys")

    @property
    def grid(self) -> int:
        """Returns the number of cells per side of the frames that are asked about."""
        return grid_of(self.split)

    @property
    def text(self) -> str:
        """Returns the question without its options. A space stands between words and before the question mark."""
        if self.split == "when":
            return f"when is the {self.keys[0].phrase} shown ?"
        if self.split == "direction":
            return f"where does the {self.keys[0].phrase} move ?"
        if self.split == "count":
            return f"how many {self.keys[0].phrase} are shown ?"
        if self.split == "order":
            return f"which is first the {self.keys[0].phrase} or the {self.keys[1].phrase} ?"
        return " and ".join(_asks(key) for key in self.keys) + " ?"


def _asks(key: Key) -> str:
    """The question for the other attribute of one key."""
    if key.attribute == "shape":
        return f"what color is the {key.phrase}"
    size = "" if key.size is None else f"{SIZES[key.size]} "
    return f"which {size}shape is {key.word}"


def truth(query: Query, objects: np.ndarray, ticks: np.ndarray, total: int) -> Truth | None:
    """Says what the objects shown answer to a query.

    `objects` i1 [M, 3] are shown at `ticks` i64 [M] out of `total`. The result has one value per key. For `when` that
    is one zone; for `order` it is the key that comes first, 0 or 1; for `count` it is the number of objects with
    different answers, less one. A value is None where nothing can be said. The whole result is None when what is shown
    is ambiguous or cannot be counted with COUNTS. Raises ValueError for a `direction`, which objects alone do not tell.
    """
    if query.split == "direction":
        raise ValueError("where an object moves is not among shape, colour, size and tick")
    if query.split == "when":
        zones = np.unique(ticks[query.keys[0].matches(objects)] * len(ZONES) // total)
        return None if len(zones) > 1 else (int(zones[0]) if len(zones) else None,)
    if query.split == "order":
        first = [ticks[key.matches(objects)] for key in query.keys]
        if not all(len(found) for found in first):
            return (None,)
        one, two = (int(found.min()) for found in first)
        return None if one == two else (int(two < one),)
    found = [key.answers(objects) for key in query.keys]
    if query.split == "count":
        number = len(found[0])
        return None if number > len(COUNTS) else (number - 1 if number else None,)
    if any(len(values) > 1 for values in found):
        return None
    return tuple(values[0] if values else None for values in found)
