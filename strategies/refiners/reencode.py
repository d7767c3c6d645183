"""Lets the kept tokens read each other, and know their time, before the LLM reads them: QTSplus' re-encoder.

Self-attention without positions over all of them in temporal order; absolute seconds enter where the selector was
trained with them. Nothing is dropped, places stay. Source: QTSplus (arXiv 2511.11910).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection
from framework.ops.apportion import worthiest
from strategies.learned.qtsplus import costs
from strategies.learned.qtsplus.source import Source


@dataclass(frozen=True)
class Reencode(TokenRefiner):
    """Gives new embeddings to the best candidates that the budget allows. Nothing is over-selected."""

    checkpoint: str | None
    mode: str

    def __post_init__(self) -> None:
        _ = self.source  # wrong settings are refused now

    @cached_property
    def source(self) -> Source:
        """Returns the source of the weights."""
        return Source(self.checkpoint, self.mode)

    @property
    def overshoot(self) -> float:  # type: ignore[override]
        """Returns 1: as many candidates as the budget."""
        return 1.0

    @property
    def remakes(self) -> bool:
        """Says that every embedding is new."""
        return True

    @torch.no_grad()
    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        """Returns the selection [K] with new embeddings."""
        selection = Selection.of(candidates, worthiest(candidates, budget), budget)
        kept = selection.tokens
        selector = self.source.reencoding(kept.embeddings)
        given, seconds = (part.to(selector.device)[None] for part in (kept.embeddings, kept.seconds))
        mask = torch.ones(given.shape[:2], dtype=torch.bool, device=given.device)
        changed = selector.reencode(given, mask, seconds)[0]
        return replace(selection, tokens=replace(kept, embeddings=changed.to(kept.embeddings.device)))

    def flops(self, candidates: Candidates, budget: int) -> float:
        """Estimates the operations of the re-encoding layers over what the budget allows."""
        shape = self.source.shape(candidates.tokens.embeddings.shape[1])
        return costs.reencoding(shape, min(len(candidates), budget))
