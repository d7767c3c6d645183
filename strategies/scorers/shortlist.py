"""The language model looks at a short list: the tokens of a group that another scorer finds best.

    score_i = inner score_i where i is among the ceil(share x N) best of N tokens, else -inf

A scorer that reads no pass of the language model chooses the list, such as QTSplus' trained cross-attention. A group is
then probed on those in place of all, so passes cost next to nothing, and what would distract is not read. Certainty
is that of the very tokens that may be kept. Every question has a list of its own, so questions share the vision tower
but not the passes. Ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from framework.core.interfaces import ScorerAround
from framework.core.types import Scores
from framework.core.view import GroupView


@dataclass(frozen=True)
class Shortlist(ScorerAround):
    """Keeps the inner scores of a group's best tokens, f32 [N], and refuses all others."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"scorer.share must lie within 0..1, above 0, got {self.share}")
        if self.inner.needs.probe:
            raise ValueError(
                f"scorer.inner={type(self.inner).__name__} reads a pass of the language model over all tokens, which a "
                "short list saves: choose a scorer without one, such as scorer@scorer.inner=qtsplus"
            )

    @property
    def before_probe(self) -> bool:  # type: ignore[override]
        """Says that the list comes before the language model."""
        return True

    def score(self, view: GroupView) -> Scores:
        """Returns the inner scores of the best share, -inf for the others. Ties go to the lower token."""
        found = self.inner.score(view)
        values = found.values.cpu()
        best = values.argsort(descending=True, stable=True)[: math.ceil(round(self.share * len(values), 9))]
        listed = torch.full_like(values, -math.inf)
        listed[best] = values[best]
        return Scores(listed, signals=found.signals)
