"""What comes out: the answer with its selection, how it came about, and what it cost.

These are values like those of `types.py`, made for people and for files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from torch import Tensor

from framework.core.types import Answer, Layout, Question, Selection
from framework.core.value import Value

PROBED = "encode kept"  # the stage of an answer that tells of a prober
BACKBONE = (PROBED, "answer")  # stages of the backbone's own operations where there was one


@dataclass(frozen=True, repr=False)
class Cost(Value):
    """Holds what one stage cost."""

    seconds: float = 0.0
    passes: int = 0
    tokens: int = 0
    flops: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, repr=False)
class GroupTrace(Value):
    """Describes what became of one group."""

    index: int
    seconds: tuple[float, float]  # first and last tick
    visited: int | None  # position in the visiting order; None = skipped
    relevance: float | None = None
    raw: float | None = None
    unit: str = ""
    signals: Mapping[str, float] = field(default_factory=dict)
    choice: int | None = None
    quota: int = 0
    kept: int = 0


@dataclass(frozen=True, repr=False)
class Offered(Value):
    """Describes all tokens that the timeline would make: those of one tick, at every tick."""

    seconds: Tensor  # f64 [T]
    tick: Layout  # of one tick


@dataclass(frozen=True, repr=False)
class Trace(Value):
    """Describes how an answer came about and what it cost."""

    groups: tuple[GroupTrace, ...]
    stages: Mapping[str, Cost]
    tokens_seen: int  # visual tokens of the visited groups
    tokens_total: int  # visual tokens of the whole timeline
    tokens_kept: int
    frames_decoded: int
    peak_bytes: int
    damaged_ticks: int = 0  # of the visited groups, shown with pictures that were decoded from damaged data
    offered: Offered | None = field(default=None, compare=False)  # None: unknown

    @property
    def operations(self) -> dict[str, float]:
        """Returns the estimated operations of prober and backbone apart. It is empty where one model did it all."""
        if PROBED not in self.stages:
            return {}
        mine = sum(cost.flops for name, cost in self.stages.items() if name in BACKBONE)
        return {"prober": sum(cost.flops for cost in self.stages.values()) - mine, "backbone": mine}

    @property
    def visited_share(self) -> float:
        """Returns the share of the groups that were visited, 0..1."""
        return sum(g.visited is not None for g in self.groups) / len(self.groups)


@dataclass(frozen=True, repr=False)
class Outcome(Value):
    """Holds the answer, the trace and the selection behind it, for one question."""

    question: Question
    answer: Answer
    trace: Trace
    selection: Selection | None  # None: the answerer never asked for the final pass
