"""A group is relevant when the probabilities spread: their variance, mapped onto entropy's scale.

    value = -ln n x (1 - var(p) / ((1/n)(1 - 1/n))),    n outcomes: 0 when certain, -ln n when uniform

Over the options of a multiple-choice question, over the vocabulary for an open-ended one (its least certain
response token). The variance equals (sum p^2 - 1/n) / n: it is the collision probability in another unit.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs
from framework.ops.certainty import certainty, largest_variance, on_common_scale


@dataclass(frozen=True)
class Variance(RelevanceEstimator):
    """Measures the population variance of the response probabilities."""

    @property
    def needs(self) -> Needs:
        """Asks for response logits."""
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        """Returns the value on entropy's scale in nats. The raw value is the variance in squared probabilities."""
        known = certainty(view.probe)
        raw = min(known.variances)
        share = min(1.0, raw / largest_variance(known.outcomes))  # rounding may pass 1
        return Relevance(on_common_scale(share, known.outcomes), raw, "probability^2")
