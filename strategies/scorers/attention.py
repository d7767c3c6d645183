"""Scores a token by the attention that the text after the video pays to it in a reference layer.

    score[n] = mean over layers of reduce over text rows of reduce over heads of softmax(q k / sqrt(d))[head, row, n]

Which rows vote, and how heads and rows are reduced, matters more than the layer; the best choice differs between
models. All that it reads of the model are the rows that the backbone captured. Source: FlexSelect (arXiv 2506.00993),
and AdaptToken (arXiv 2603.28696), whose reference layer is found by a needle probe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs

ROWS = ("all", "question", "question_end", "options", "last")
REDUCTIONS = ("max", "mean")


@dataclass(frozen=True)
class Attention(TokenScorer):
    """Scores each token by the attention from the text to it: f32 [N], not comparable across groups."""

    layers: Sequence[int]
    rows: str
    heads: str
    reduce: str
    softmax: str
    sink: float | None

    def __post_init__(self) -> None:
        if len(self.layers) == 0 or any(layer < 0 for layer in self.layers):
            raise ValueError(f"scorer.layers must name at least one layer, counted from 0, got {list(self.layers)}")
        for key, allowed in (
            ("rows", ROWS),
            ("heads", REDUCTIONS),
            ("reduce", REDUCTIONS),
            ("softmax", ("full_row", "vision_only")),
        ):
            if getattr(self, key) not in allowed:
                raise ValueError(f"scorer.{key} must be one of {', '.join(allowed)}, got {getattr(self, key)!r}")
        if self.sink is not None and self.sink <= 1:
            raise ValueError(f"scorer.sink must be null or > 1 (a multiple of the mean share), got {self.sink}")

    @property
    def needs(self) -> Needs:
        """Asks for attention in the reference layers."""
        return Needs(attention=tuple(sorted(set(self.layers))))

    def score(self, view: GroupView) -> Scores:
        """Returns the reduced attention per token. A sink gets -inf when the filter is on."""
        maps = [view.probe.attention[layer].float() for layer in self.layers]  # each [heads, L, N]
        if self.softmax == "vision_only":
            maps = [one / one.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) for one in maps]
        values = torch.stack([self._reduced(one, view) for one in maps]).mean(0)  # [N]
        if self.sink is not None:
            share = torch.stack([one.mean((0, 1)) for one in maps]).mean(0)  # a sink draws whatever is asked: all rows
            values = values.masked_fill(share > self.sink * share.mean(), -math.inf)
        return Scores(values)

    def _reduced(self, attention: Tensor, view: GroupView) -> Tensor:
        """[heads, L, N] -> [N]: the voting rows, heads first, then rows."""
        if self.rows != "all":
            rows = view.probe.rows.get(self.rows)
            if rows is None or len(rows) == 0:
                raise ValueError(f"question {view.question.id!r} has no {self.rows} rows: choose scorer.rows=all")
            attention = attention[:, rows.to(attention.device)]
        by_row = attention.amax(0) if self.heads == "max" else attention.mean(0)
        return by_row.amax(0) if self.reduce == "max" else by_row.mean(0)
