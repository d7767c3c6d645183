"""The whole QTSplus selector: score the visual tokens against the question, decide how many, keep them, re-encode.

Batches of any lengths: everything is masked, and a sample's result does not depend on the others. `official=True` holds
every parameter of the published checkpoints, those that never receive a gradient too; otherwise there are none of them.
Source: QTSplus (arXiv 2511.11910).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn

from strategies.learned.qtsplus.blocks import Block, Compare, largest_attention
from strategies.learned.qtsplus.budget import BudgetHead, kept_count
from strategies.learned.qtsplus.gate import gumbel, straight_through, top

TIME_WIDTH = 64
LONGEST_SECONDS = 36_000.0
Part = Literal["all", "scoring", "reencoding"]


@dataclass(frozen=True)
class Shape:
    """Holds the sizes of a selector. All of them but the heads can be read from a state dict."""

    width: int
    heads: int
    kv_heads: int
    scoring_layers: int
    reencode_layers: int
    time: bool  # absolute seconds enter the re-encoder
    official: bool  # with the parameters that do nothing, as in the published checkpoints


@dataclass(frozen=True)
class Chosen:
    """Holds what the selector made of a batch.

    n* is the largest number kept, or the largest number shown where dropped tokens are shown.
    """

    tokens: Tensor  # [B, n*, D]
    mask: Tensor  # bool [B, n*]: kept
    index: Tensor  # i64 [B, n*], ascending places among the M; 0 where masked
    log_scores: Tensor  # f32 [B, M]
    rho: Tensor  # f32 [B]
    entropy: Tensor  # f32 [B], nats
    count: Tensor  # i64 [B], tokens kept
    shown: Tensor  # bool [B, n*]: kept, or dropped and there to learn from
    weight: Tensor  # f32 [B, n*]: 1 where kept and 0 elsewhere, with the gate's gradient

    def __getitem__(self, places: Sequence[int]) -> Chosen:
        """Returns some of the samples, no less padded."""
        at = torch.tensor(places, device=self.tokens.device)
        return Chosen(**{field.name: getattr(self, field.name)[at] for field in fields(self)})


class Selector(nn.Module):
    """Selects the visual tokens to keep for a question: scores them, decides how many, keeps and re-encodes them."""

    def __init__(self, shape: Shape, rho_min: float, rho_max: float, scaled: bool, dropout: float, chunk: int) -> None:
        super().__init__()
        if shape.scoring_layers < 1 or shape.reencode_layers < 0:
            raise ValueError(
                f"scoring_layers must be >= 1 and reencode_layers >= 0, got {shape.scoring_layers} and "
                f"{shape.reencode_layers}"
            )
        self.shape, self.chunk = shape, chunk
        sizes = (shape.width, shape.heads, shape.kv_heads, shape.official)
        last = Block(*sizes, dropout) if shape.official else Compare(*sizes)
        self.scoring_layers = nn.ModuleList([*(Block(*sizes, dropout) for _ in range(shape.scoring_layers - 1)), last])
        self.budget = BudgetHead(shape.width, rho_min, rho_max, scaled)
        self.reencode_layers = nn.ModuleList([Block(*sizes, dropout) for _ in range(shape.reencode_layers)])
        self.time: nn.Linear | None = nn.Linear(TIME_WIDTH, shape.width, bias=False) if shape.time else None
        if self.time is not None:
            nn.init.zeros_(self.time.weight)

    @property
    def device(self) -> torch.device:
        """Returns the device where the weights are."""
        return next(self.parameters()).device

    def keep(self, part: Part) -> None:
        """Drops the weights that are not needed to score (with the budget head), or to re-encode; `all` drops none."""
        if part == "scoring":
            self.reencode_layers, self.time = nn.ModuleList(), None
        elif part == "reencoding":
            del self.scoring_layers, self.budget

    def score(self, tokens: Tensor, mask: Tensor, query: Tensor, query_mask: Tensor) -> Tensor:
        """Scores tokens [B, M, D] (bool [B, M]) against a question [B, L, D] (bool [B, L]): ln r, f32 [B, M].

        Raises ValueError where a video or a question has no tokens.
        """
        _not_empty(mask, "a video without tokens")
        _not_empty(query_mask, "a question without tokens")
        for block in self.scoring_layers[:-1]:
            query = block(query, tokens, mask)
        last: Compare = self.scoring_layers[-1]  # type: ignore[assignment]
        return largest_attention(last.queries(query), last.keys(tokens), query_mask, mask, self.chunk)

    def reencode(self, tokens: Tensor, mask: Tensor, seconds: Tensor | None) -> Tensor:
        """Returns the kept tokens [B, n, D] after they have read each other; `seconds` f64 [B, n] where time enters.

        Raises ValueError where time enters and `seconds` is None.
        """
        if self.time is not None:
            if seconds is None:
                raise ValueError("this selector reads absolute time: give it the tokens' seconds")
            tokens = tokens + self.time(waves(seconds).to(tokens.dtype))
        for block in self.reencode_layers:
            tokens = block(tokens, tokens, mask)
        return tokens

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        query: Tensor,
        query_mask: Tensor,
        seconds: Tensor | None = None,
        rho: float | Tensor | None = None,
        most: int | None = None,
        gate: Literal["hard", "straight_through", "gumbel"] = "hard",
        tau: float = 0.5,
        multiply: bool = True,
        extra: int = 0,
    ) -> Chosen:
        """Chooses tokens and re-encodes them. `rho` (one, or f32 [B]) bypasses the budget head; `most` caps the count.

        See the gate for `tau`. With `multiply`, tokens are multiplied by the gate, as published; otherwise it is left
        to the caller to use `weight`. `extra` of the best dropped tokens are shown too, but no other token reads them
        here.
        """
        log_scores = self.score(tokens, mask, query, query_mask)
        ratio, sharpness = self.budget(log_scores, mask, query, query_mask)
        if rho is not None:
            ratio = torch.full_like(ratio, rho) if isinstance(rho, float) else rho.to(ratio)
        valid = mask.sum(1)
        count = kept_count(ratio, valid, most)
        if gate == "hard":
            value = top(log_scores, count).float()
        else:
            total = (ratio * valid).clamp(min=0.5, max=float(most) if most is not None else None)
            total = torch.minimum(total, valid - 0.5)
            value = (
                straight_through(log_scores, mask, count, total, tau)
                if gate == "straight_through"
                else gumbel(log_scores, mask, total, tau)
            )
        keep = value.detach() > 0.5
        index, shown = places(keep | top(log_scores, (keep.sum(1) + extra).minimum(valid)) if extra else keep)
        kept_mask = keep.gather(1, index) & shown
        weight = value.gather(1, index) * shown
        chosen = tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[2]))
        if multiply:
            chosen = chosen * weight[..., None].to(tokens.dtype)
        at = None if seconds is None else seconds.gather(1, index)
        chosen = self.reencode(chosen, kept_mask, at) * shown[..., None]
        return Chosen(chosen, kept_mask, index, log_scores, ratio, sharpness, keep.sum(1), shown, weight)


def places(keep: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (places i64 [B, n*], real bool [B, n*]) of what `keep`, bool [B, M], keeps.

    Places are ascending and padded with 0; the second says which are real.
    """
    count = keep.sum(1)
    order = (~keep).long().argsort(dim=1, stable=True)[:, : int(count.max())]
    mask = torch.arange(order.shape[1], device=keep.device) < count[:, None]
    return order.masked_fill(~mask, 0), mask


def waves(seconds: Tensor) -> Tensor:
    """Returns sines and cosines of absolute time, f32 [..., 64], with periods from 1 second to 10 hours."""
    period = torch.logspace(0, math.log10(LONGEST_SECONDS), TIME_WIDTH // 2, dtype=torch.float64, device=seconds.device)
    angle = 2 * math.pi * seconds.double()[..., None] / period
    return torch.cat([angle.sin(), angle.cos()], -1).float()


def _not_empty(mask: Tensor, what: str) -> None:
    if not bool(mask.any(1).all()):
        raise ValueError(f"QTSplus was given {what}")
