"""How groups vote: one mixture of their answers, in which the more relevant weigh more.

p = sum_g w_g p_g,    w = softmax(relevance / temperature)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax


def weights(relevance: Sequence[float], temperature: float) -> np.ndarray:
    """Returns the weight of every group, f64 [G], in sum 1: a low temperature listens to the most relevant."""
    return softmax(np.asarray(relevance, dtype=np.float64) / temperature)


def mixture(weight: np.ndarray, probabilities: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns the mixed probabilities of the options, f64 [O], in sum 1; `probabilities` are those of every group."""
    mixed = weight @ np.array(probabilities)
    return mixed / mixed.sum()
