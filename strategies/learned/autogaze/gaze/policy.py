"""From logits to a pick: the one place that says what may be picked and with which probability.

Sampling and scoring share the transform, so that the log-probability of a pick is that of the policy which made it:

    patches already picked in this frame, and eos -> -inf;   / temperature;   all but the top k -> -inf;   log-softmax

Without sampling, picks are the largest logit among the allowed, and log-probabilities are a plain log-softmax, as the
published model is scored. Source: AutoGaze (arXiv 2603.12254); its code scores without the transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """Says how picks are drawn; `top_k` None draws from all allowed patches.

    Raises ValueError unless the temperature is positive and finite, and `top_k` at least 1.
    """

    temperature: float
    top_k: int | None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"the temperature must be a positive number, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, or null for all; got {self.top_k}")


def log_probabilities(logits: Tensor, banned: Tensor, sampling: Sampling | None, picked: Tensor | None) -> Tensor:
    """Returns log-probabilities f32 [..., V + 1] of logits f32 and banned bool, both [..., V + 1].

    Without `sampling` they are a plain log-softmax, and nothing is banned. `picked` i64 [...] stays possible beside the
    top k: rounding may have moved it out of them since it was drawn.
    """
    if sampling is None:
        return logits.log_softmax(-1)
    logits = logits.masked_fill(banned, float("-inf")) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        allowed = logits >= logits.detach().topk(sampling.top_k, dim=-1).values[..., -1:]
        if picked is not None:
            allowed = allowed.scatter(-1, picked[..., None], True)
        logits = logits.masked_fill(~allowed, float("-inf"))
    return logits.log_softmax(-1)


def choose(
    logits: Tensor, banned: Tensor, sampling: Sampling | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Picks one patch for each head in turn, from logits f32 [B, k, V + 1].

    Returns ids i64 [B, k], all different and none `banned` (bool [B, V + 1], changed in place), and their
    log-probabilities f32 [B, k].
    """
    ids, scores = [], []
    for head in logits.unbind(1):
        scored = log_probabilities(head, banned, sampling, None)
        if sampling is None:
            pick = head.masked_fill(banned, float("-inf")).argmax(-1, keepdim=True)
        else:
            pick = torch.multinomial(scored.exp(), 1, generator=generator)
        banned.scatter_(1, pick, True)
        ids.append(pick)
        scores.append(scored.gather(1, pick))
    return torch.cat(ids, 1), torch.cat(scores, 1)
