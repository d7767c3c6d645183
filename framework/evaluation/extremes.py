"""Whether questions can tell runs apart: not where all runs are right everywhere, nor where all of them guess."""

from __future__ import annotations

import math
from collections.abc import Sequence

from framework.evaluation.power import LEVEL
from framework.evaluation.runs import Line
from framework.evaluation.statistics import Interval

CEILING = 0.98
NEAR = 0.9  # below it an interval reaches 1 because videos are few
FLOOR = 0.02
USELESS = "these questions cannot tell the rows apart"
HARDER = "of made videos: benchmark=needle_faint"


def chance(lines: Sequence[Line]) -> float:
    """Returns the accuracy of a guess: the mean of 1 / options over questions.

    It is NaN unless every line has the probabilities of its options.
    """
    options = [len(line.get("probabilities") or ()) for line in lines]
    return sum(1 / count for count in options) / len(options) if options and all(options) else math.nan


def extreme(accuracies: Sequence[Interval], guess: float, p: Sequence[float] = ()) -> str:
    """Says where all accuracies are at the ceiling, or none is above `guess`.

    The ceiling is an accuracy of .98, or one of .9 whose interval reaches 1. Where `guess` is NaN the floor is an
    accuracy of .02. It says nothing of a single row, nor where one of the corrected `p` is below .05: the rows were
    told apart.
    """
    if len(accuracies) < 2 or any(one < LEVEL for one in p):
        return ""
    if all(one.value >= CEILING for one in accuracies):
        return f"every row is at the ceiling (at least {CEILING:g}): {USELESS}; harder ones can ({HARDER})"
    if all(one.value >= NEAR and one.high >= 1 - 1e-9 for one in accuracies):
        return f"every row's interval reaches 1: {USELESS}; more videos can, or harder questions"
    if math.isnan(guess):
        nothing = all(one.value <= FLOOR for one in accuracies)
        return f"every row is at the floor (at most {FLOOR:g}): {USELESS}; easier ones can" if nothing else ""
    if all(one.low <= guess for one in accuracies):
        return f"no row is above chance ({guess:.3g}) by its interval: {USELESS}; more videos can, or easier questions"
    return ""
