"""The last pass and the groups' own answers together: two readings of one video, whose errors differ.

    log p = (1 - share) log p_final + share log p_vote,    normalised over the options

A group reads all its tokens, the last pass reads the best of all groups. What must be seen together only the last pass
can know, and where no group knows anything, the votes are even and change nothing. Open-ended: the last pass alone.
Ours; the logarithmic opinion pool is Genest and Zidek's (Statistical Science 1, 1986).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from framework.core.interfaces import Answerer
from framework.core.types import Answer, ScoredGroup
from framework.core.view import Needs
from framework.ops.voting import mixture, weights

LEAST = 1e-9  # probability: nobody rules an option out alone


@dataclass(frozen=True)
class Blend(Answerer):
    """Answers with the product of the last pass's and the vote's probabilities, each to the power of its share.

    `temperature` is the vote's.
    """

    temperature: float
    share: float

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"answerer.temperature must be > 0, got {self.temperature}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"answerer.share must lie within 0..1, got {self.share}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, from which the groups' own answers are read."""
        return Needs(logits=True)

    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """Returns the likeliest option of both; ties go to the lower option. Option probabilities sum to 1."""
        last = final()
        if not last.probabilities:
            return last
        answers = [seen.answer.probabilities for seen in groups if seen.answer is not None]
        assert len(answers) == len(groups), "groups that were probed with logits have an answer"
        voted = mixture(weights([seen.relevance.value for seen in groups], self.temperature), answers)
        mine, theirs = (np.log(np.maximum(one, LEAST)) for one in (last.probabilities, voted))
        mixed = softmax((1 - self.share) * mine + self.share * theirs)  # [O]
        choice = int(mixed.argmax())
        return Answer(chr(ord("A") + choice), choice, tuple(mixed.tolist()), last.entropy)
