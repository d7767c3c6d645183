"""Adds several scorers up, each first brought to one scale within the group, so that none wins by its units.

    score = sum over parts of weight[part] x normalised(score of the part)

`rank`: average rank among the group's tokens, 0..1. `zscore`: minus the mean, over the standard deviation; a constant
part counts nothing. A token that any part bars with -inf is barred, and left out of the normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from scipy.stats import rankdata
from torch import Tensor

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs


@dataclass(frozen=True)
class Fusion(TokenScorer):
    """Scores each token by a weighted sum of normalised scores: f32 [N], not comparable across groups."""

    parts: Mapping[str, TokenScorer]
    weights: Mapping[str, float]
    normalise: str

    def __post_init__(self) -> None:
        if not self.parts or set(self.parts) != set(self.weights):
            raise ValueError(f"scorer.weights must name scorer.parts {sorted(self.parts)}, got {sorted(self.weights)}")
        if any(not math.isfinite(w) or w < 0 for w in self.weights.values()) or not any(self.weights.values()):
            raise ValueError(f"scorer.weights must be >= 0 and not all 0, got {dict(self.weights)}")
        if self.normalise not in ("rank", "zscore"):
            raise ValueError(f"scorer.normalise must be rank or zscore, got {self.normalise!r}")

    @property
    def before_tower(self) -> bool:  # type: ignore[override]
        """Says whether all parts come before the vision tower."""
        return all(part.before_tower for part in self.parts.values())

    @property
    def needs(self) -> Needs:
        """Asks for all that the parts need."""
        return reduce(lambda all_needs, part: all_needs | part.needs, self.parts.values(), Needs())

    def score(self, view: GroupView) -> Scores:
        """Returns the fused scores. The parts' signals are kept as `part.signal`."""
        found = {name: part.score(view) for name, part in self.parts.items()}
        values = {name: scores.values.cpu().double() for name, scores in found.items()}
        allowed = torch.stack(list(values.values())).isfinite().all(0)
        total = torch.full((len(allowed),), -math.inf, dtype=torch.float64)
        total[allowed] = sum(
            (self.weights[name] * self._normalised(one[allowed]) for name, one in values.items()), start=torch.zeros(())
        )
        signals = {f"{name}.{key}": number for name, scores in found.items() for key, number in scores.signals.items()}
        return Scores(total.float(), signals)

    def flops(self, view: GroupView) -> float:
        """Sums the operations of all parts."""
        return sum(part.flops(view) for part in self.parts.values())

    def _normalised(self, values: Tensor) -> Tensor:
        """f64 [n] -> f64 [n]."""
        if self.normalise == "rank":
            return torch.from_numpy(rankdata(values.numpy()) - 1) / max(1, len(values) - 1)
        centred = values - values.mean()
        spread = values.std(correction=0)
        return centred / spread if spread > 1e-12 * values.abs().max() else torch.zeros_like(values)
