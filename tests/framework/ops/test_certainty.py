"""Certainty of a response: closed forms, independent formulas (scipy, Python floats), and the common scale."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from framework.core.view import MissingNeed, Probe
from framework.ops import certainty

logit_lists = st.lists(st.one_of(st.floats(-50, 50), st.floats(-3, 3)), min_size=2, max_size=40)


def _probe(logits: torch.Tensor | None, option_ids: list[int]) -> Probe:
    return Probe(rows={}, option_ids=torch.tensor(option_ids, dtype=torch.long), response_logits=logits)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 1000])
def test_a_uniform_response(n: int) -> None:
    uniform = torch.full((n,), 1 / n)
    assert float(certainty.entropy(uniform)) == pytest.approx(math.log(n), rel=1e-5)
    assert float(certainty.margin(uniform)) == 0.0
    assert float(certainty.variance(uniform)) == pytest.approx(0.0, abs=1e-12)
    assert float(certainty.log_probability(uniform)) == pytest.approx(-math.log(n), rel=1e-5)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 1000])
def test_a_certain_response(n: int) -> None:
    certain = torch.zeros(n)
    certain[n // 2] = 1.0
    assert float(certainty.entropy(certain)) == 0.0
    assert float(certainty.margin(certain)) == 1.0
    assert float(certainty.variance(certain)) == pytest.approx(certainty.largest_variance(n), rel=1e-5)
    assert float(certainty.log_probability(certain)) == 0.0


def test_a_hand_computed_response() -> None:
    chances = torch.tensor([0.5, 0.25, 0.125, 0.125])
    assert float(certainty.entropy(chances)) == pytest.approx(1.75 * math.log(2), rel=1e-6)
    assert float(certainty.margin(chances)) == 0.25
    assert float(certainty.variance(chances)) == pytest.approx((0.0625 + 0 + 2 * 0.015625) / 4, rel=1e-6)
    assert float(certainty.log_probability(chances)) == pytest.approx(-math.log(2), rel=1e-6)


def test_largest_variance_of_four_outcomes() -> None:
    assert certainty.largest_variance(4) == pytest.approx(3 / 16)


def test_the_common_scale_runs_from_uniform_to_certain() -> None:
    assert certainty.on_common_scale(0.0, 4) == pytest.approx(-math.log(4))
    assert certainty.on_common_scale(1.0, 4) == 0.0
    assert certainty.on_common_scale(0.5, 4) == pytest.approx(-math.log(2))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(logit_lists, st.floats(-100, 100))
def test_ranges_and_shift_invariance(logits: list[float], shift: float) -> None:
    n = len(logits)
    chances = certainty.probabilities(torch.tensor(logits, dtype=torch.float64))
    assert chances.dtype == torch.float32
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-5)
    assert -1e-5 <= float(certainty.entropy(chances)) <= math.log(n) + 1e-5
    assert 0.0 <= float(certainty.margin(chances)) <= 1.0 + 1e-6
    assert -1e-7 <= float(certainty.variance(chances)) <= certainty.largest_variance(n) + 1e-6
    assert -math.log(n) - 1e-5 <= float(certainty.log_probability(chances)) <= 1e-6
    shifted = certainty.probabilities(torch.tensor(logits, dtype=torch.float64) + shift)
    assert torch.allclose(chances, shifted, atol=1e-4)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(logit_lists)
def test_entropy_agrees_with_scipy(logits: list[float]) -> None:
    exact = torch.tensor(logits, dtype=torch.float64).softmax(0)
    assert float(certainty.entropy(certainty.probabilities(torch.tensor(logits)))) == pytest.approx(
        float(scipy_entropy(exact.numpy())), abs=1e-4
    )


@settings(max_examples=50, deadline=None, derandomize=True)
@given(logit_lists, st.floats(1.1, 5.0))
def test_sharper_logits_are_more_certain(logits: list[float], factor: float) -> None:
    low, high = (certainty.probabilities(torch.tensor(logits) * f) for f in (1.0, factor))
    assert float(certainty.entropy(high)) <= float(certainty.entropy(low)) + 1e-5
    assert float(certainty.log_probability(high)) >= float(certainty.log_probability(low)) - 1e-5
    assert float(certainty.variance(high)) >= float(certainty.variance(low)) - 1e-6


def test_impossible_tokens_count_nothing() -> None:
    chances = certainty.probabilities(torch.tensor([0.0, 0.0, -math.inf]))
    assert float(certainty.entropy(chances)) == pytest.approx(math.log(2), rel=1e-6)


def test_half_precision_logits_are_lifted_first() -> None:
    logits = torch.tensor([3.0, 1.0, 0.5]).bfloat16()
    assert torch.allclose(certainty.probabilities(logits), logits.float().softmax(-1), rtol=1e-6)


def test_all_signals_of_a_multiple_choice_probe() -> None:
    # the first token: ids 0..3 with chances .5 .25 .125 .125; the second: uniform over the two words 4 and 5
    first = [math.log(p) for p in (0.5, 0.25, 0.125, 0.125)] + [-math.inf] * 2
    second = [-math.inf] * 4 + [0.0, 0.0]
    found = certainty.signals(_probe(torch.tensor([first, second]), option_ids=[2, 1, 0]))
    options = [1 / 7, 2 / 7, 4 / 7]  # ids 2, 1, 0 among themselves
    assert found["entropy"] == pytest.approx(1.75 * math.log(2), rel=1e-6)  # the worst token
    assert found["entropy_first"] == pytest.approx(1.75 * math.log(2), rel=1e-6)
    assert found["option_entropy"] == pytest.approx(-sum(p * math.log(p) for p in options), rel=1e-5)
    assert found["margin"] == pytest.approx(2 / 7, rel=1e-5)
    assert found["variance"] == pytest.approx(sum((p - 1 / 3) ** 2 for p in options) / 3, rel=1e-5)
    assert found["log_probability"] == pytest.approx(math.log(4 / 7), rel=1e-5)
    assert (found["outcomes"], found["top_option"]) == (3.0, 2.0)


def test_entropy_is_that_of_the_worst_token() -> None:
    certain, torn = [100.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    found = certainty.signals(_probe(torch.tensor([certain, torn, certain]), option_ids=[0, 1]))
    assert found["entropy"] == pytest.approx(math.log(3), rel=1e-6)
    assert found["entropy_first"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("torn", "tokens", "expected"),
    [(1, 1, 1.0), (1, 10, 1.0), (1, 11, 0.5), (1, 20, 0.5), (2, 20, 1.0), (1, 21, 1 / 3)],
)
def test_a_response_is_as_uncertain_as_its_worst_tenth(torn: int, tokens: int, expected: float) -> None:
    """`torn` tokens are uniform over three outcomes, the others certain: the mean of the ceil(R / 10) worst."""
    rows = torch.tensor([[0.0, 0.0, 0.0]] * torn + [[100.0, 0.0, 0.0]] * (tokens - torn))
    found = certainty.signals(_probe(rows, option_ids=[0, 1]))["entropy"]
    assert found == pytest.approx(expected * math.log(3), abs=1e-6)


def test_an_open_question_is_judged_over_the_vocabulary() -> None:
    found = certainty.signals(_probe(torch.tensor([[math.log(0.5), math.log(0.25), math.log(0.25)]]), option_ids=[]))
    assert found["margin"] == pytest.approx(0.25, rel=1e-6)
    assert found["outcomes"] == 3.0
    assert "top_option" not in found and "option_entropy" not in found
    assert all(type(value) is float for value in found.values())


def test_option_logits_are_those_of_the_first_token() -> None:
    probe = _probe(torch.arange(8.0).view(2, 4), option_ids=[3, 1])
    assert certainty.option_logits(probe).tolist() == [3.0, 1.0]
    with pytest.raises(ValueError, match="no options"):
        certainty.option_logits(_probe(torch.zeros(1, 4), option_ids=[]))


def test_without_logits_the_missing_need_is_named() -> None:
    with pytest.raises(MissingNeed, match="logits=True"):
        certainty.signals(_probe(None, option_ids=[0, 1]))


def test_recorded_signals_are_those_of_the_estimators_for_long_open_answers() -> None:
    """Two tokens over three outcomes: margin and variance of the least certain one, log-probability per token."""
    rows = torch.tensor([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]])
    probe = Probe(rows={}, option_ids=torch.zeros(0, dtype=torch.long), response_logits=rows.log())
    found = certainty.signals(probe)
    assert found["margin"] == pytest.approx(0.05, abs=1e-6)
    assert found["variance"] == pytest.approx((0.4**2 + 0.35**2 + 0.25**2) / 3 - 1 / 9, abs=1e-6)
    assert found["log_probability"] == pytest.approx((math.log(0.7) + math.log(0.4)) / 2, abs=1e-6)
    assert found["outcomes"] == 3
