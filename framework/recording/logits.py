"""Logits of a response on disk: whole where the vocabulary is small, else the best tokens and what sums up the rest.

Of a large vocabulary the `KEPT` highest logits stay as they are, the option letters always among them. Of the tail stay
its log-sum-exp and its entropy; it is rebuilt as n - 1 equally likely tokens and one that is less likely, the flattest
head that a tail of that entropy can have. So the rebuilt logits have the mass and the entropy of the originals (to the
rounding of float32), the same kept probabilities, and no rebuilt token is above the true tail's highest: order and
margin of the kept stay. Other functions of the tail alone are lost; the variance over the vocabulary is off by at most
(mass of the tail x its highest probability) / V.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from framework.core.value import Value

KEPT = 256
STEPS = 60  # of bisection: below the rounding of a double


@dataclass(frozen=True, repr=False)
class CompactLogits(Value):
    """Holds the logits of R response tokens. Where `ids` is None, `values` are those of the whole vocabulary."""

    values: Tensor  # f32 [R, k], raw
    ids: Tensor | None = None  # i32 [R, k]
    tail: Tensor | None = None  # f64 [R, 2], log-sum-exp (-inf: no tail) and entropy in nats of the tail alone

    @staticmethod
    def of(logits: Tensor, always: Tensor, kept: int = KEPT) -> CompactLogits:
        """Returns the compact form of `logits` [R, V], on the CPU.

        The ids `always` (fewer than `kept`) stay in any case.
        """
        vocabulary = logits.shape[1]
        if vocabulary <= 2 * kept:  # ids and values of the kept would take as much
            return CompactLogits(logits.float().cpu())
        must = logits.clone()
        must[:, always.to(logits.device)] = math.inf
        ids = must.topk(kept, dim=1).indices  # [R, k]
        rest = logits.double().scatter(1, ids, -math.inf)
        mass = rest.logsumexp(1)  # [R]
        share = (rest - mass[:, None]).exp().nan_to_num(0.0)  # [R, V]; no tail at all: -inf - -inf
        entropy = -torch.special.xlogy(share, share).sum(1)
        return CompactLogits(
            values=logits.gather(1, ids).float().cpu(),
            ids=ids.to("cpu", torch.int32),
            tail=torch.stack([mass, entropy], 1).cpu(),
        )

    def full(self, vocabulary: int) -> Tensor:
        """Rebuilds the logits, f32 [R, V].

        The kept ones are as they were. The rest have their mass and their entropy, but not their own values.
        """
        if self.ids is None or self.tail is None:
            return self.values
        full = torch.full((len(self.values), vocabulary), -math.inf)
        for row, ids, values, (mass, entropy) in zip(
            full, self.ids.long(), self.values, self.tail.tolist(), strict=True
        ):
            if mass > -math.inf:
                free = torch.ones(vocabulary, dtype=torch.bool)
                free[ids] = False
                places = free.nonzero()[:, 0]
                many, likely, less = spread(entropy, len(places))
                row[places[: many - 1]] = mass + math.log(likely) if many > 1 else -math.inf
                row[places[many - 1]] = mass + math.log(less) if less > 0 else -math.inf
            row[ids] = values
        return full


def spread(entropy: float, most: int) -> tuple[int, float, float]:
    """Finds (n, a, b) with (n - 1) a + b = 1, 0 <= b <= a and -(n - 1) a ln a - b ln b = `entropy` nats; n <= `most`.

    Between ln(n - 1) (b = 0) and ln n (b = a) the entropy rises with b, so bisection finds it.
    """
    many = min(most, math.floor(math.exp(entropy)) + 1)
    low, high = 0.0, 1 / many
    for _ in range(STEPS):
        less = (low + high) / 2
        if _entropy(many, less) < entropy:
            low = less
        else:
            high = less
    return many, (1 - high) / (many - 1) if many > 1 else 0.0, high


def _entropy(many: int, less: float) -> float:
    """Of many - 1 equal outcomes and one of probability `less`."""
    rest = 1 - less
    return -(less * math.log(less) if less > 0 else 0.0) - (
        rest * math.log(rest / (many - 1)) if many > 1 and rest > 0 else 0.0
    )
