"""Which layer's attention points at the evidence: pure functions of captured attention and a mask.

For a probe with k evidence tokens among N, a ranking of the tokens is as good as the share of its top k that is
evidence (recall at k; chance is k / N), and as the chance that an evidence token is ranked above another one (AUROC;
chance is 1/2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from framework.core.types import Layout
from framework.evaluation.evidence import parts_of

ROWS = ("question_end", "question", "options", "last", "all")
HEADS = ("mean", "max")


@dataclass(frozen=True)
class Point:
    """Says how well one reading of the attention finds the evidence, over all probes."""

    layer: int
    rows: str  # text rows that vote; their mean is taken
    heads: str  # mean or max over heads
    share: float  # of the top k tokens
    auroc: float


def evidence_mask(
    layout: Layout, seconds: Tensor, spans: Sequence[tuple[float, float]], cells: Sequence[int], grid: int
) -> Tensor:
    """Marks the tokens that show evidence: bool [N].

    `seconds` f64 [N] are the times of the tokens. Span i is shown in part `cells[i]` of a frame that is cut into `grid`
    x `grid` parts, counted row by row. A backbone with a finer grid has several tokens per part. Without `cells` a
    token counts by its time alone.
    """
    place = parts_of(layout, grid)
    mask = torch.zeros(len(layout), dtype=torch.bool)
    for i, (start, end) in enumerate(spans):
        here = (seconds >= start) & (seconds < end)
        mask |= here & (place == cells[i]) if cells else here
    return mask


def readings(attention: Mapping[int, Tensor], rows: Mapping[str, Tensor]) -> dict[tuple[int, str, str], Tensor]:
    """Returns (layer, rows, heads) -> one value per token, f32 [N], of attention {layer: f32 [heads, L, N]}."""
    found = {}
    for layer, captured in attention.items():
        for name in ROWS:
            at = torch.arange(captured.shape[1]) if name == "all" else rows[name]
            if len(at):
                voted = captured[:, at].mean(1)  # [heads, N]
                found[layer, name, "mean"] = voted.mean(0)
                found[layer, name, "max"] = voted.amax(0)
    return found


def quality(values: Tensor, mask: Tensor) -> tuple[float, float]:
    """Returns (share of the top k on evidence, AUROC) of values f32 [N], with k evidence tokens in mask bool [N].

    Raises ValueError where all tokens are evidence, or none is.
    """
    count, rest = int(mask.sum()), int((~mask).sum())
    if not count or not rest:
        raise ValueError(f"a probe needs evidence and something else, got {count} evidence tokens of {len(mask)}")
    top = values.argsort(descending=True, stable=True)[:count]
    ranks = rankdata(values.numpy())[mask.numpy()].sum()
    return float(mask[top].float().mean()), float((ranks - count * (count + 1) / 2) / (count * rest))


def average(found: Mapping[tuple[int, str, str], Sequence[tuple[float, float]]]) -> list[Point]:
    """Averages each reading over its probes and returns one point per reading."""
    return [
        Point(*key, *(float(value) for value in np.mean(np.asarray(values), axis=0))) for key, values in found.items()
    ]


def best(points: Sequence[Point]) -> Point:
    """Returns the reading that finds most; of equals the one with the higher AUROC, then the earlier layer."""
    return max(points, key=lambda point: (round(point.share, 6), round(point.auroc, 6), -point.layer))
