"""What a method costs when a question comes alone: nothing is shared with other questions or taken from a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.common import run
from experiments.yardstick.answering import Cell
from framework.evaluation.journal import Journal

VIDEOS = 1  # of 5 questions each: operations hardly differ between videos, and every question is answered live


@dataclass(frozen=True)
class Cost:
    """Holds means over questions that were asked one by one, live."""

    operations: float  # floating point operations of all models and of the method's own networks, estimated
    seconds: float
    passes: float  # of the language model over a group


def cost(words: Sequence[str], cell: Cell, budget: int) -> Cost:
    """Measures a method on the first video of a cell."""
    cfg = cell.composed(words, budget)
    cfg.share, cfg.benchmark.videos = False, VIDEOS
    found = Journal(run(words, f"{cell.title}  cost", composed=cfg) / "timings.jsonl").lines
    return Cost(
        operations=sum(line["flops"] for line in found) / len(found),
        seconds=sum(line["seconds"] for line in found) / len(found),
        passes=sum(line["passes"].get("probe", 0) for line in found) / len(found),
    )
