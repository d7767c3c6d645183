"""The groups vote with their own answers, each with a weight that grows with its relevance. No last pass.

    w = softmax(relevance / temperature)
    multiple choice: the likeliest option of p = sum_g w_g p_g;    open-ended: the text with the largest sum of w_g

Evidence that only counts when seen together is lost: compare with `final`. Source: a baseline that AdaptToken's
groups make free; voting over samples of a video as in "From Trial to Triumph" (arXiv 2503.20472).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from framework.core.interfaces import Answerer
from framework.core.types import Answer, ScoredGroup
from framework.core.view import Needs
from framework.ops.voting import mixture, weights


@dataclass(frozen=True)
class Vote(Answerer):
    """Lets the groups vote, each with a weight that grows with its relevance.

    A small `temperature` listens to the best group, a large one to all alike.
    """

    temperature: float

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(f"answerer.temperature must be > 0, got {self.temperature}")

    @property
    def needs(self) -> Needs:
        """Asks for response logits, from which the groups' own answers are read."""
        return Needs(logits=True)

    def answer(self, groups: Sequence[ScoredGroup], final: Callable[[], Answer]) -> Answer:
        """Returns the winner. Ties go to the lower option, or to the lower group index.

        Option probabilities sum to 1; an open-ended answer has none.
        """
        ordered = sorted(groups, key=lambda seen: seen.group.index)
        weight = weights([seen.relevance.value for seen in ordered], self.temperature)  # [G]
        answers = [seen.answer for seen in ordered if seen.answer is not None]
        assert len(answers) == len(ordered), "groups that were probed with logits have an answer"
        if not answers[0].probabilities:
            return Answer(_winner([" ".join(answer.text.casefold().split()) for answer in answers], weight, answers))
        mixed = mixture(weight, [answer.probabilities for answer in answers])  # [O]
        choice = int(mixed.argmax())
        return Answer(chr(ord("A") + choice), choice, tuple(mixed.tolist()))


def _winner(said: Sequence[str], weight: np.ndarray, answers: Sequence[Answer]) -> str:
    """The words of the weightiest group among those that said the winning text."""
    total = {text: float(weight[[other == text for other in said]].sum()) for text in said}
    winner = max(total, key=lambda text: total[text])
    return max(zip(said, weight, answers, strict=True), key=lambda one: (one[0] == winner, one[1]))[2].text
