"""Log-probabilities of the group's own answer by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import Group, Layout, Question, Relevance
from framework.core.view import GroupView, Needs, Probe
from strategies.relevance.log_probability import LogProbability

NOTHING = torch.zeros(1, dtype=torch.long)
QUESTION = Question("q", "Who ? A B C D", "Who ?", ("a", "b", "c", "d"))


def measured(probabilities: list[list[float]], options: int) -> Relevance:
    """Of a response with these probabilities over a vocabulary whose first `options` ids are the letters."""
    probe = Probe({}, torch.arange(options), response_logits=torch.tensor(probabilities).log())
    layout = Layout(NOTHING, NOTHING, NOTHING, (28, 28))
    return LogProbability().relevance(
        GroupView(Group(0, NOTHING), QUESTION, layout, NOTHING.double(), shown_probe=probe)
    )


def test_both_ends_of_the_common_scale() -> None:
    assert measured([[0.25] * 4], 4).value == pytest.approx(-math.log(4))
    assert measured([[1.0, 0.0, 0.0, 0.0]], 4).value == pytest.approx(0.0, abs=1e-6)
    assert measured([[0.1] * 10], 0).value == pytest.approx(-math.log(10))


def test_value_is_the_logarithm_of_the_best_option() -> None:
    found = measured([[0.7, 0.2, 0.05, 0.05]], 4)
    assert found.value == found.raw == pytest.approx(math.log(0.7)) and found.unit == "nats"


def test_options_are_read_apart_from_the_rest_of_the_vocabulary() -> None:
    assert measured([[0.3, 0.1, 0.6]], 2).raw == pytest.approx(math.log(0.75))
    assert measured([[0.3, 0.1, 0.6]], 0).raw == pytest.approx(math.log(0.6))


def test_an_open_response_is_averaged_over_its_tokens() -> None:
    assert measured([[0.9, 0.1], [0.4, 0.6]], 0).raw == pytest.approx(math.log(0.9 * 0.6) / 2)


@settings(max_examples=40, deadline=None)
@given(weights=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=8))
def test_never_off_the_scale(weights: list[float]) -> None:
    value = measured([[w / sum(weights) for w in weights]], len(weights)).value
    assert -math.log(len(weights)) - 1e-5 <= value <= 1e-6


def test_needs_logits_alone() -> None:
    assert LogProbability().needs == Needs(logits=True)
