"""How much of the evidence was kept: so that what the selection missed and what the reader missed are told apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from framework.benchmarks.base import Item
from framework.core.outcome import Offered
from framework.core.types import Layout, Selection
from framework.lab.world import GRID


def evidence_found(selection: Selection | None, evidence: Sequence[tuple[float, float]]) -> bool | None:
    """Says whether some token was kept of every span of evidence.

    It is None where evidence is unknown or nothing was selected.
    """
    if not evidence or selection is None:
        return None
    kept = selection.tokens.seconds
    return all(bool(((kept >= start) & (kept < end)).any()) for start, end in evidence)


def evidence_kept(selection: Selection | None, offered: Offered | None, item: Item) -> float | None:
    """Returns the share of the evidence tokens that were kept, 0..1.

    Evidence tokens are all tokens of the ticks within a span of evidence; where the benchmark says in which part of the
    frame it is shown (`facts`: cells, one per span), those that lie there. It is None where evidence is unknown, where
    nothing was selected, and where no tick of the timeline lies within a span.
    """
    if not item.evidence or selection is None or offered is None:
        return None
    cells, grid = shown_in(item)
    row, column = offered.tick.row, offered.tick.column
    place = parts_of(offered.tick, grid)
    shown = torch.zeros(len(offered.seconds), len(row), dtype=torch.bool)  # [T, tokens of a tick]
    for i, (start, end) in enumerate(item.evidence):
        here = (offered.seconds >= start) & (offered.seconds < end)
        there = place == cells[i] if cells else torch.ones_like(place, dtype=torch.bool)
        shown |= here[:, None] & there
    if not bool(shown.any()):
        return None
    width = int(column.max()) + 1
    number = torch.full((int(row.max() + 1) * width,), -1)
    number[row * width + column] = torch.arange(len(row))  # place in the frame -> which token of a tick
    kept = selection.tokens
    hits = shown[kept.tick.cpu(), number[(kept.row * width + kept.column).cpu()]]
    return int(hits.sum()) / int(shown.sum())


def shown_in(item: Item) -> tuple[list[int], int]:
    """Returns in which part of the frame each span of evidence is shown, and into how many parts a side is cut.

    The parts are counted row by row. The list is empty where the benchmark does not say.
    """
    return [int(cell) for cell in str(item.facts.get("cells", "")).split()], int(str(item.facts.get("grid", GRID)))


def parts_of(layout: Layout, grid: int) -> Tensor:
    """Returns in which of `grid` x `grid` parts of the frame each token lies, counted row by row: i64 [N].

    A backbone with a finer grid has several tokens per part.
    """
    height, width = int(layout.row.max()) + 1, int(layout.column.max()) + 1
    return (layout.row * grid // height) * grid + layout.column * grid // width
