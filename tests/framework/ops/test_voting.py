"""Weights and mixtures by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.ops.voting import mixture, weights


def test_a_difference_of_two_logarithms_of_three_is_a_factor_of_three_at_temperature_two() -> None:
    assert weights([-2 * math.log(3), 0.0], 2.0) == pytest.approx([0.25, 0.75])


def test_answers_count_by_weight() -> None:
    assert mixture(weights([0.0, 0.0], 1.0), [(0.9, 0.1), (0.3, 0.7)]) == pytest.approx([0.6, 0.4])


@given(relevance=st.lists(st.floats(-12.0, 0.0), min_size=1, max_size=9), temperature=st.floats(0.01, 10.0))
def test_they_stay_probabilities(relevance: list[float], temperature: float) -> None:
    weight = weights(relevance, temperature)
    assert weight.sum() == pytest.approx(1.0) and weight[relevance.index(max(relevance))] == weight.max()
    assert mixture(weight, [(0.2, 0.5, 0.3)] * len(relevance)) == pytest.approx([0.2, 0.5, 0.3])
