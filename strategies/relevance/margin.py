"""A group is relevant when the best answer leads clearly: p1 - p2, mapped onto entropy's scale.

    value = -ln n x (1 - (p1 - p2)),    n outcomes: 0 when certain, -ln n when the two best tie

Over the options of a multiple-choice question, over the vocabulary for an open-ended one (its least certain
response token). It knows nothing of the outcomes behind the second. Source: margin sampling; an alternative named
in AdaptToken's setting.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs
from framework.ops.certainty import margin, on_common_scale, response


@dataclass(frozen=True)
class Margin(RelevanceEstimator):
    """The lead of the most likely outcome."""

    @property
    def needs(self) -> Needs:
        """Response logits."""
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        """Value on entropy's scale in nats, raw the margin as a probability, 0..1."""
        likely = response(view.probe)  # [R, n]
        raw = float(margin(likely).min())
        return Relevance(on_common_scale(raw, likely.shape[-1]), raw, "probability")
