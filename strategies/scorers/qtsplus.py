"""Scores tokens with QTSplus' trained cross-attention: what do they mean to this question? No pass of the LLM.

    score_i = ln r_i,   r_i = max over heads h and question tokens l of softmax_i(q_hl . k_i / sqrt(depth))

Signals: `rho`, the share of its tokens that is worth keeping, from the budget head (or given); `score_entropy` of r in
nats; `score_max`, the largest r; `n_max`, the most tokens that the checkpoint keeps, where it says so. All in fp32.
Source: QTSplus (arXiv 2511.11910).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from strategies.learned.qtsplus import costs
from strategies.learned.qtsplus.source import Source


@dataclass(frozen=True)
class QTSplus(TokenScorer):
    """Scores each token by trained cross-attention with the question: ln r, f32 [N] <= 0.

    Scores are comparable within a group only, because each row of attention sums to one over the group.
    """

    checkpoint: str | None
    mode: str
    rho: Literal["learned"] | float

    def __post_init__(self) -> None:
        if self.rho != "learned" and not 0 < self.rho <= 1:
            raise ValueError(f"qtsplus.rho must be learned, or a number within (0, 1]; got {self.rho}")
        about = self.source.about
        if about is not None and self.rho == "learned" and about.rho != "learned":
            raise ValueError(
                f"qtsplus.rho is learned, but {self.checkpoint} was trained with a ratio that was {about.rho}, so its "
                "budget head knows nothing: set qtsplus.rho to a share such as 0.1"
            )

    @cached_property
    def source(self) -> Source:
        """Returns the source of the weights."""
        return Source(self.checkpoint, self.mode)

    @property
    def needs(self) -> Needs:
        """Asks for visual tokens and the question's embeddings."""
        return Needs(tokens=True, query=True)

    @torch.no_grad()
    def score(self, view: GroupView) -> Scores:
        """Returns ln r of each token. The signals hold rho."""
        selector = self.source.scoring(view.tokens.embeddings)
        tokens, query = (part.to(selector.device).float()[None] for part in (view.tokens.embeddings, view.query))
        mask, query_mask = (
            torch.ones(part.shape[:2], dtype=torch.bool, device=part.device) for part in (tokens, query)
        )
        log_scores = selector.score(tokens, mask, query, query_mask)
        ratio, entropy = selector.budget(log_scores, mask, query, query_mask)
        rho = float(ratio) if self.rho == "learned" else self.rho
        largest = float(log_scores.max().exp())
        about = self.source.about
        limit = {} if about is None or about.n_max is None else {"n_max": float(about.n_max)}
        return Scores(log_scores[0], {"rho": rho, "score_entropy": float(entropy), "score_max": largest, **limit})

    def flops(self, view: GroupView) -> float:
        """Estimates the operations of the scoring layers and the budget head. The head runs for a given ratio too."""
        count, width = view.tokens.embeddings.shape
        return costs.scoring(self.source.shape(width), count, len(view.query))
