"""Entropies by hand: uniform, certain, the least certain share, option letters, the prior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from framework.config.build import build
from framework.core.types import Group, Layout, Question, Relevance
from framework.core.view import GroupView, MissingNeed, Probe
from framework.ops.certainty import signals
from strategies.relevance.entropy import Entropy

NOTHING = torch.zeros(1, dtype=torch.long)
QUESTION = Question("q", "Who ? A B C D", "Who ?", ("a", "b", "c", "d"))
UNIFORM, CERTAIN = [0.0, 0.0, 0.0, 0.0], [1000.0, 0.0, 0.0, 0.0]
HALF = [0.0, 0.0, -math.inf, -math.inf]  # entropy ln 2


def probe(rows: list[list[float]], options: int = 4) -> Probe:
    return Probe({}, torch.arange(options), response_logits=torch.tensor(rows))


def view(shown: Probe, prior: Probe | None = None) -> GroupView:
    layout = Layout(NOTHING, NOTHING, NOTHING, (28, 28))
    return GroupView(Group(0, NOTHING), QUESTION, layout, NOTHING.double(), shown_probe=shown, shown_prior=prior)


def measured(rows: list[list[float]], **keys: Any) -> Relevance:
    chosen = {"tokens": "worst", "worst_share": 0.1, "over": "vocabulary", "prior": "none", **keys}
    return Entropy(**chosen).relevance(view(probe(rows)))


def test_uniform_over_four_is_minus_ln_4_and_certain_is_0() -> None:
    uniform = measured([UNIFORM])
    assert uniform.value == pytest.approx(-math.log(4)) and uniform.raw == pytest.approx(math.log(4))
    assert uniform.unit == "nats"
    assert measured([CERTAIN]).value == pytest.approx(0.0, abs=1e-6)


def test_first_all_and_worst_of_three_tokens() -> None:
    rows = [HALF, CERTAIN, UNIFORM]  # ln 2, 0, ln 4
    assert measured(rows, tokens="first").raw == pytest.approx(math.log(2))
    assert measured(rows, tokens="all").raw == pytest.approx(math.log(8) / 3)
    assert measured(rows, tokens="worst").raw == pytest.approx(math.log(4))
    assert measured(rows, tokens="worst", worst_share=0.5).raw == pytest.approx(math.log(8) / 2)  # ceil(1.5) = 2 tokens


@pytest.mark.parametrize(("length", "count"), [(1, 1), (10, 1), (11, 2), (20, 2), (30, 3)])
def test_the_worst_tenth_rounds_up(length: int, count: int) -> None:
    uncertain = 1
    rows = [UNIFORM] * uncertain + [CERTAIN] * (length - uncertain)
    assert measured(rows).raw == pytest.approx(math.log(4) / count, abs=1e-6)


def test_stopping_reads_what_relevance_reads(composed: Callable[..., DictConfig]) -> None:
    """Sixteen response tokens: the mean of the worst two, in the signal and under the keys of the option."""
    rows = torch.randn(16, 9, generator=torch.Generator().manual_seed(0)).tolist()
    relevance = build(composed().relevance, Entropy, "relevance").relevance(view(probe(rows)))
    assert relevance.raw == signals(probe(rows))["entropy"]


def test_option_letters_ignore_the_rest_of_the_vocabulary() -> None:
    logits = [0.0, 0.0, 5.0, 5.0]  # two options of ln 2, lost in the vocabulary
    strategy = Entropy("first", 0.1, "options", "none")
    assert strategy.relevance(view(probe([logits], options=2))).raw == pytest.approx(math.log(2))
    assert measured([logits]).raw == pytest.approx(0.7336, abs=1e-3)


def test_the_prior_is_taken_off() -> None:
    strategy = Entropy("worst", 0.1, "vocabulary", "subtract")
    assert strategy.needs.prior and strategy.needs.logits
    gained = strategy.relevance(view(probe([HALF]), probe([UNIFORM])))
    assert gained.value == pytest.approx(math.log(4) - math.log(2))
    with pytest.raises(MissingNeed, match="prior"):
        strategy.relevance(view(probe([HALF])))


def test_options_of_an_open_question_are_an_error_with_a_way_out() -> None:
    with pytest.raises(ValueError, match=r"relevance\.over=vocabulary"):
        Entropy("first", 0.1, "options", "none").relevance(view(probe([UNIFORM], options=0)))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("last", 0.1, "vocabulary", "none"), "relevance.tokens must be one of first, all, worst, got 'last'"),
        (("worst", 0.0, "vocabulary", "none"), r"relevance.worst_share must lie in \(0, 1\], got 0.0"),
        (("worst", 0.1, "letters", "none"), "relevance.over must be one of"),
        (("worst", 0.1, "vocabulary", "yes"), "relevance.prior must be one of"),
        (("worst", 0.1, "options", "none"), "set relevance.tokens=first"),
    ],
)
def test_bad_keys_are_named(keys: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Entropy(*keys)
