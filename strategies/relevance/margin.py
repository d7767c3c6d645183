"""A group is relevant when the best answer leads clearly: p1 - p2, mapped onto entropy's scale.

    value = -ln n x (1 - (p1 - p2)),    n outcomes: 0 when certain, -ln n when the two best tie

Over the options of a multiple-choice question, over the vocabulary for an open-ended one (its least certain
response token). Outcomes behind the second play no part. Source: margin sampling; an alternative named in
AdaptToken's setting.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs
from framework.ops.certainty import certainty, on_common_scale


@dataclass(frozen=True)
class Margin(RelevanceEstimator):
    """Measures by how much the most likely outcome leads."""

    @property
    def needs(self) -> Needs:
        """Asks for response logits."""
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        """Returns the value on entropy's scale in nats. The raw value is the margin as a probability, 0..1."""
        known = certainty(view.probe)
        raw = min(known.margins)
        return Relevance(on_common_scale(raw, known.outcomes), raw, "probability")
