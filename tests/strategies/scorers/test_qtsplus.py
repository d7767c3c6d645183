"""Scores by plain loops over heads, words and tokens; what the budget head says of them; refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from framework.core.view import GroupView
from framework.testing import toys
from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.scorers.qtsplus import QTSplus

NEEDS = QTSplus("random:0", "paper", 0.5).needs


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Selector]:
    """A selector of four heads, two of keys, without anything that is zero or one."""
    torch.manual_seed(5)
    selector = Selector(Shape(16, 4, 2, 1, 0, True, False), 0.1, 0.6, scaled=False, dropout=0.0, chunk=7)
    for parameter in selector.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    place = tmp_path_factory.mktemp("selector")
    checkpoint.save(selector, place, rho="learned", n_max=None, positions="kept", notes={})
    return str(place), selector


def by_loops(selector: Selector, tokens: torch.Tensor, query: torch.Tensor) -> list[float]:
    """Ln r [N], in double precision."""
    block = selector.scoring_layers[-1]

    def projected(norm: torch.nn.Module, linear: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        x = x.double() / (x.double() ** 2).mean(-1, keepdim=True).add(1e-6).sqrt() * norm.weight.double()
        return x @ linear.weight.double().T + (0.0 if linear.bias is None else linear.bias.double())

    q, k = projected(block.q_norm, block.q_proj, query), projected(block.kv_norm, block.k_proj, tokens)
    best = [-math.inf] * len(tokens)
    for head in range(4):
        keys = k[:, 4 * (head // 2) : 4 * (head // 2) + 4]
        for word in q[:, 4 * head : 4 * head + 4]:
            row = [float(word @ key) / 2 for key in keys]
            total = math.log(sum(math.exp(x) for x in row))
            best = [max(old, x - total) for old, x in zip(best, row, strict=True)]
    return best


def test_scores_by_hand(saved: tuple[str, Selector]) -> None:
    view = toys.view(NEEDS, ticks=3)
    scores = QTSplus(saved[0], "paper", "learned").score(view)
    with torch.no_grad():
        expected = by_loops(saved[1], view.tokens.embeddings, view.query)
    assert scores.values.tolist() == pytest.approx(expected, abs=1e-4)
    shares = [math.exp(x) for x in expected]
    parts = [x / sum(shares) for x in shares]
    assert scores.signals["score_max"] == pytest.approx(max(shares), abs=1e-5)
    assert scores.signals["score_entropy"] == pytest.approx(-sum(p * math.log(p) for p in parts), abs=1e-4)
    numbers = [math.log(len(shares)), max(shares), scores.signals["score_entropy"]]
    mlp = saved[1].budget.mlp
    with torch.no_grad():
        logit = float(mlp(torch.cat([view.query.mean(0), torch.tensor(numbers)])))
    assert scores.signals["rho"] == pytest.approx(0.1 + 0.5 / (1 + math.exp(-logit)), abs=1e-5)


def test_a_given_ratio_bypasses_the_head_and_its_bounds(saved: tuple[str, Selector]) -> None:
    view = toys.view(NEEDS)
    learned, given = (QTSplus(saved[0], "paper", rho).score(view) for rho in ("learned", 0.01))
    assert given.signals["rho"] == 0.01 and 0.1 <= learned.signals["rho"] <= 0.6
    assert torch.equal(learned.values, given.values)


def test_another_question_scores_differently_and_the_options_do_not_matter(saved: tuple[str, Selector]) -> None:
    scorer, view = QTSplus(saved[0], "paper", "learned"), toys.view(NEEDS)
    before = scorer.score(view)
    other = replace(view, shown_query=view.query.flip(1))
    assert (scorer.score(other).values - before.values).abs().max() > 1e-3
    assert scorer.score(other).signals["rho"] != before.signals["rho"]
    reworded = replace(view, question=replace(view.question, prompt=view.question.prompt + "\nE white", cue="Answer:"))
    assert torch.equal(scorer.score(reworded).values, before.values)


def test_the_backbones_dtype_changes_no_score(saved: tuple[str, Selector]) -> None:
    """The same bf16 numbers, held in bf16 and in fp32."""
    scorer, view = QTSplus(saved[0], "paper", "learned"), toys.view(NEEDS)
    half = replace(view.tokens, embeddings=view.tokens.embeddings.bfloat16())
    full = replace(view.tokens, embeddings=half.embeddings.float())
    first, second = (scorer.score(replace(view, shown_tokens=tokens)) for tokens in (half, full))
    assert torch.equal(first.values, second.values) and first.signals == second.signals


def test_random_weights_need_a_seed_alone() -> None:
    view = toys.view(NEEDS)
    first, again, other = (QTSplus(f"random:{seed}", "compat", "learned").score(view).values for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def without(view: GroupView, what: str) -> GroupView:
    if what == "tokens":
        return replace(view, shown_tokens=view.tokens[torch.zeros(0, dtype=torch.long)])
    return replace(view, shown_query=view.query[:0])


@pytest.mark.parametrize(("what", "said"), [("tokens", "a video without tokens"), ("query", "question without tokens")])
def test_nothing_to_score_or_to_ask(saved: tuple[str, Selector], what: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        QTSplus(saved[0], "paper", "learned").score(without(toys.view(NEEDS), what))


def test_tokens_of_another_width(saved: tuple[str, Selector]) -> None:
    view = toys.view(NEEDS)
    wide = replace(view.tokens, embeddings=torch.zeros(len(view.tokens), 32))
    with pytest.raises(ValueError, match="reads tokens of width 16, these have 32"):
        QTSplus(saved[0], "paper", "learned").score(replace(view, shown_tokens=wide))


@pytest.mark.parametrize("rho", [0.0, -0.5, 1.5])
def test_a_ratio_is_a_share(rho: float) -> None:
    with pytest.raises(ValueError, match=r"qtsplus.rho must be learned, or a number within \(0, 1\]"):
        QTSplus("random:0", "paper", rho)


def test_a_head_that_was_not_trained_is_not_asked(saved: tuple[str, Selector], tmp_path: Path) -> None:
    checkpoint.save(saved[1], tmp_path, rho="drawn", n_max=None, positions="kept", notes={})
    with pytest.raises(ValueError, match=r"budget head knows nothing: set qtsplus.rho to a share"):
        QTSplus(str(tmp_path), "paper", "learned")
    assert QTSplus(str(tmp_path), "paper", 0.1).score(toys.view(NEEDS)).signals["rho"] == 0.1
