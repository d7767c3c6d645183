"""How certain a response is: entropy, margin, variance and log-probability, on one common scale.

Pure functions of logits and probabilities, in fp32 and in nats. The common scale is that of the negative entropy over n
options: -ln n is a uniform response, 0 a certain one, so that one temperature and one threshold mean the same for all
of them. Source of the quantities: AdaptToken (arXiv 2603.28696, Fig. 2 and 4), DeepConf (arXiv 2508.15260) for the
least certain share.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from framework.types import Probe


def probabilities(logits: Tensor) -> Tensor:
    """Softmax in fp32 at temperature 1. `logits` [..., V] -> f32 [..., V]."""
    return logits.float().softmax(-1)


def option_logits(probe: Probe) -> Tensor:
    """f32 [O]: logits of the option letters at the first response token; ValueError without options."""
    if len(probe.option_ids) == 0:
        raise ValueError(
            "the question has no options: use the full vocabulary instead (key: relevance.over=vocabulary)"
        )
    return probe.logits[0, probe.option_ids.to(probe.logits.device)].float()


def entropy(distribution: Tensor) -> Tensor:
    """Shannon entropy in nats over the last axis; 0 log 0 = 0."""
    return -torch.special.xlogy(distribution, distribution).sum(-1)


def margin(distribution: Tensor) -> Tensor:
    """p1 - p2 of the two most likely, over the last axis."""
    top = distribution.topk(2, dim=-1).values
    return top[..., 0] - top[..., 1]


def variance(distribution: Tensor) -> Tensor:
    """Population variance of the probabilities over the last axis."""
    return distribution.var(-1, correction=0)


def log_probability(distribution: Tensor) -> Tensor:
    """Natural logarithm of the most likely outcome's probability, over the last axis."""
    return distribution.max(-1).values.log()


def largest_variance(n: int) -> float:
    """The variance of a certain response among n outcomes: (1/n)(1 - 1/n)."""
    return (1 / n) * (1 - 1 / n)


def on_common_scale(share: float, n: int) -> float:
    """A certainty in 0..1 (0 = uniform over n outcomes, 1 = certain) on the scale -ln n .. 0."""
    return -math.log(n) * (1.0 - share)


def signals(probe: Probe) -> dict[str, float]:
    """What is recorded of every probe with logits: entropy (full vocabulary, worst token and first token), and of the
    options (or of the vocabulary for open questions) margin, variance, log_probability, option_entropy and
    top_option.
    """
    full = probabilities(probe.logits)
    per_token = entropy(full)
    choice = option_logits(probe).softmax(-1) if len(probe.option_ids) else full[0]
    found = {
        "entropy": float(per_token.max()),
        "entropy_first": float(per_token[0]),
        "margin": float(margin(choice)),
        "variance": float(variance(choice)),
        "log_probability": float(log_probability(choice)),
        "outcomes": float(choice.numel()),
    }
    if len(probe.option_ids):
        found |= {"option_entropy": float(entropy(choice)), "top_option": float(choice.argmax())}
    return found
