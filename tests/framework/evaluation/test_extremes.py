"""Where questions cannot tell runs apart, and where nothing of the kind is said."""

from __future__ import annotations

from math import isnan, nan

import pytest

from framework.evaluation.extremes import chance, extreme
from framework.evaluation.statistics import Interval

HIGH, GOOD, WIDE = Interval(0.99, 0.96, 1.0), Interval(0.9, 0.8, 0.97), Interval(0.9, 0.7, 1.0)
GUESS, LOW, NOTHING = Interval(0.3, 0.2, 0.4), Interval(0.2, 0.1, 0.3), Interval(0.01, 0.0, 0.05)


@pytest.mark.parametrize(
    ("accuracies", "guess", "said"),
    [
        ([HIGH, Interval(0.98, 0.95, 0.999)], 0.25, "at the ceiling (at least 0.98)"),
        ([HIGH, WIDE], 0.25, "every row's interval reaches 1"),
        ([HIGH, GOOD], 0.25, ""),
        ([GUESS, LOW], 0.25, "no row is above chance (0.25)"),
        ([GUESS, GOOD], 0.25, ""),
        ([GUESS, LOW], 0.15, ""),
        ([HIGH, Interval(0.8, 0.5, 1.0)], 0.25, ""),
        ([GUESS, LOW], nan, ""),
        ([NOTHING, NOTHING], nan, "at the floor (at most 0.02)"),
        ([HIGH], 0.25, ""),
        ([], nan, ""),
    ],
)
def test_what_is_said(accuracies: list[Interval], guess: float, said: str) -> None:
    found = extreme(accuracies, guess)
    assert (said in found) if said else not found
    assert ("needle_faint" in found) == ("at the ceiling" in said)


def test_nothing_is_said_of_rows_that_were_told_apart() -> None:
    assert extreme([WIDE, WIDE], 0.25, [0.6, 0.05]) and not extreme([WIDE, WIDE], 0.25, [0.6, 0.049])


def test_chance_by_hand() -> None:
    assert chance([{"probabilities": [0.5, 0.5]}, {"probabilities": [0.1, 0.2, 0.3, 0.4]}]) == 0.375
    assert isnan(chance([{"probabilities": [0.5, 0.5]}, {"probabilities": []}])) and isnan(chance([{}]))
    assert isnan(chance([]))
