"""A group is relevant when its own answer is likely: the log-probability of that answer, in nats.

    value = mean over the response tokens of ln max p

On entropy's scale as it stands: -ln n when uniform over n outcomes, 0 when certain. Over the options of a
multiple-choice question, over the vocabulary for an open-ended one, where the response is decoded greedily, so the
likeliest token is the answer's; the mean makes long answers comparable with short ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs
from framework.ops.certainty import certainty


@dataclass(frozen=True)
class LogProbability(RelevanceEstimator):
    """Measures the log-probability of the group's own answer, per token."""

    @property
    def needs(self) -> Needs:
        """Asks for response logits."""
        return Needs(logits=True)

    def relevance(self, view: GroupView) -> Relevance:
        """Returns value and raw value, which are the same: nats per response token, <= 0."""
        raw = float(torch.tensor(certainty(view.probe).log_probabilities).mean())
        return Relevance(raw, raw, "nats")
