"""Scores a token by the L2 norm of its embedding: a question-blind guess at how much it carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs


@dataclass(frozen=True)
class FeatureNorm(TokenScorer):
    """Scores each token by |embedding|: f32 [N], comparable across groups."""

    comparable = True
    blind = True

    @property
    def needs(self) -> Needs:
        """Asks for embeddings."""
        return Needs(tokens=True)

    def score(self, view: GroupView) -> Scores:
        """Returns the L2 norm of each token's embedding."""
        return Scores(torch.linalg.vector_norm(view.tokens.embeddings.float(), dim=-1))
