"""A group is relevant when the model becomes certain: minus the Shannon entropy of its response, in nats.

    value = -H,    H of the first response token, or the mean over all or over the ceil(share x R) least certain ones

`prior: subtract` gives H_without_video - H, the nats that the group adds. That shifts all groups of a question
alike, so no budget of that question changes; it matters where groups of different questions are compared.
Open-ended and multiple-choice questions read the same vocabulary; `over: options` reads the option letters only.
Source: AdaptToken (arXiv 2603.28696); the least certain share is that of DeepConf (arXiv 2508.15260).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from framework.core.interfaces import RelevanceEstimator
from framework.core.types import Relevance
from framework.core.view import GroupView, Needs, Probe
from framework.ops.certainty import certainty, least_certain, options_entropy


@dataclass(frozen=True)
class Entropy(RelevanceEstimator):
    """Measures the negative entropy of the response.

    Raises ValueError for `over: options` on an open-ended question.
    """

    tokens: Literal["first", "all", "worst"]
    worst_share: float
    over: Literal["vocabulary", "options"]
    prior: Literal["none", "subtract"]

    def __post_init__(self) -> None:
        for key, allowed in (
            ("tokens", ("first", "all", "worst")),
            ("over", ("vocabulary", "options")),
            ("prior", ("none", "subtract")),
        ):
            if getattr(self, key) not in allowed:
                raise ValueError(f"relevance.{key} must be one of {', '.join(allowed)}, got {getattr(self, key)!r}")
        if not 0 < self.worst_share <= 1:
            raise ValueError(f"relevance.worst_share must lie in (0, 1], got {self.worst_share}")
        if self.over == "options" and self.tokens != "first":
            raise ValueError(
                "relevance.over=options reads the letters at the first response token: set relevance.tokens=first, "
                f"got relevance.tokens={self.tokens}"
            )

    @property
    def needs(self) -> Needs:
        """Asks for response logits, and for those without video when they are subtracted."""
        return Needs(logits=True, prior=self.prior == "subtract")

    def relevance(self, view: GroupView) -> Relevance:
        """Returns value and raw value in nats.

        The raw value is the entropy (or its change against the prior); lower = more certain.
        """
        raw = self._entropy(view.probe)
        if self.prior == "subtract":
            raw -= self._entropy(view.prior)
        return Relevance(-raw, raw, "nats")

    def _entropy(self, probe: Probe) -> float:
        if self.over == "options":
            return options_entropy(probe)
        per_token = certainty(probe).entropies  # R
        if self.tokens == "first":
            return per_token[0]
        return least_certain(torch.tensor(per_token), 1.0 if self.tokens == "all" else self.worst_share)
