"""How certain a response is: entropy, margin, variance and log-probability, on one common scale.

Pure functions of logits and probabilities, in fp32 and in nats. The common scale is that of the negative entropy over n
options: -ln n is a uniform response, 0 a certain one, so that one temperature and one threshold mean the same for all
of them. Source of the quantities: AdaptToken (arXiv 2603.28696, Fig. 2 and 4), DeepConf (arXiv 2508.15260) for the
least certain share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from framework.core.view import Probe

NAME = "certainty"  # under which a probe remembers it
WORST_SHARE = 0.10  # of the response tokens: AdaptToken's definition of how certain a response is


def probabilities(logits: Tensor) -> Tensor:
    """Applies softmax at temperature 1: `logits` [..., V] -> f32 [..., V].

    The sum is in fp64, for in fp32 the sum of a flat vocabulary of 150,000 drifts by 1e-5.
    """
    return logits.softmax(-1, dtype=torch.float64).float()


def option_logits(probe: Probe) -> Tensor:
    """Returns the logits of the option letters at the first response token, f32 [O].

    Raises ValueError where the question has no options.
    """
    if len(probe.option_ids) == 0:
        raise ValueError(
            "the question has no options: use the full vocabulary instead (key: relevance.over=vocabulary)"
        )
    return probe.logits[0, probe.option_ids.to(probe.logits.device)].float()


def response(probe: Probe) -> Tensor:
    """Returns the probabilities of the response, f32 [R, n].

    With options they are those of the options (R = 1). For an open answer they are those of the vocabulary at every
    token.
    """
    return option_logits(probe).softmax(-1)[None] if len(probe.option_ids) else probabilities(probe.logits)


def entropy(distribution: Tensor) -> Tensor:
    """Computes the Shannon entropy in nats over the last axis; 0 log 0 = 0."""
    return -torch.special.xlogy(distribution, distribution).sum(-1)


def margin(distribution: Tensor) -> Tensor:
    """Computes p1 - p2 of the two most likely outcomes, over the last axis."""
    top = distribution.topk(2, dim=-1).values
    return top[..., 0] - top[..., 1]


def variance(distribution: Tensor) -> Tensor:
    """Computes the population variance of the probabilities over the last axis."""
    return distribution.var(-1, correction=0)


def log_probability(distribution: Tensor) -> Tensor:
    """Computes the natural logarithm of the most likely outcome's probability, over the last axis."""
    return distribution.max(-1).values.log()


def largest_variance(n: int) -> float:
    """Returns the variance of a certain response among n outcomes: (1/n)(1 - 1/n)."""
    return (1 / n) * (1 - 1 / n)


def on_common_scale(share: float, n: int) -> float:
    """Puts a certainty in 0..1 (0 = uniform over n outcomes, 1 = certain) on the scale -ln n .. 0."""
    return -math.log(n) * (1.0 - share)


def least_certain(per_token: Tensor, share: float = WORST_SHARE) -> float:
    """Computes the entropy of a response of R tokens from those of its tokens, f32 [R].

    It is the mean of the ceil(share x R) largest, AdaptToken's definition. Relevance and stopping both read it. Up to
    ten tokens it is the largest one.
    """
    count = max(1, math.ceil(round(share * len(per_token), 9)))
    return float(per_token.topk(count).values.mean())


@dataclass(frozen=True)
class Certainty:
    """Holds in plain numbers how certain a response of R tokens is, so that nobody has to ask the device for one."""

    entropies: tuple[float, ...]  # R, nats over the full vocabulary
    margins: tuple[float, ...]  # of `response`: one with options, R for an open answer; so are the next two
    variances: tuple[float, ...]
    log_probabilities: tuple[float, ...]
    outcomes: int  # that the response has
    options: tuple[float, ...]  # probabilities; () for an open answer
    option_entropy: float | None  # nats; None for an open answer

    @property
    def top_option(self) -> int | None:
        """Returns the place of the most likely option, the first of several; None for an open answer."""
        return max(range(len(self.options)), key=self.options.__getitem__) if self.options else None


def certainty(probe: Probe) -> Certainty:
    """Returns how certain a probe with logits is. It is computed once and remembered with the probe."""
    if NAME not in probe.computed:
        measure([probe])
    return probe.computed[NAME]


def options_entropy(probe: Probe) -> float:
    """Returns the entropy of the options at the first response token, in nats.

    Raises ValueError where the question has no options.
    """
    found = certainty(probe).option_entropy
    return float(entropy(option_logits(probe).softmax(-1))) if found is None else found


def measure(probes: Sequence[Probe]) -> None:
    """Computes the certainty of probes with logits, and reads the numbers of all of them from the device at once.

    Those that are known already are left out. Raises MissingNeed where there are no logits.
    """
    new = [probe for probe in probes if NAME not in probe.computed]
    if not new:
        return
    parts = [part.float() for probe in new for part in _numbers(probe)]
    numbers = iter(torch.cat(parts).tolist())
    found = iter([tuple(islice(numbers, len(part))) for part in parts])
    for probe in new:
        entropies, margins, variances, likely, options, of_options = islice(found, 6)
        outcomes = len(options) or probe.logits.shape[-1]
        entropy_of = of_options[0] if options else None
        probe.computed[NAME] = Certainty(entropies, margins, variances, likely, outcomes, options, entropy_of)


def _numbers(probe: Probe) -> list[Tensor]:
    """The numbers of a `Certainty` as six tensors [*] where the logits are; of them the vocabulary's softmax is one."""
    words = probabilities(probe.logits)
    optional = option_logits(probe).softmax(-1)[None] if len(probe.option_ids) else words[:0]
    choice = optional if len(optional) else words
    options = optional.flatten()
    return [entropy(words), margin(choice), variance(choice), log_probability(choice), options, entropy(optional)]


def signals(probe: Probe) -> dict[str, float]:
    """Returns what is recorded of every probe with logits.

    `entropy` and `entropy_first` are over the full vocabulary: `least_certain` of all tokens, and the first token's.
    `margin`, `variance` and `log_probability` are those of the response, as the estimators of these names have them.
    `outcomes` is how many outcomes the response has. With options there are also `option_entropy` and `top_option`.
    """
    known = certainty(probe)
    found = {
        "entropy": least_certain(torch.tensor(known.entropies)),
        "entropy_first": known.entropies[0],
        "margin": min(known.margins),
        "variance": min(known.variances),
        "log_probability": float(torch.tensor(known.log_probabilities).mean()),
        "outcomes": float(known.outcomes),
    }
    if known.option_entropy is not None and known.top_option is not None:
        found |= {"option_entropy": known.option_entropy, "top_option": float(known.top_option)}
    return found
