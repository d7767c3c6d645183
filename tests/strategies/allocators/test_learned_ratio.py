"""Counts by hand, and where the budget or n_max says less."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.core.types import ScoredGroup
from framework.core.view import Needs
from framework.engine.session import best
from framework.testing import toys
from strategies.allocators.learned_ratio import LearnedRatio
from strategies.learned.qtsplus.source import random
from strategies.scorers.qtsplus import QTSplus

NEEDS = Needs(tokens=True, query=True)


def group(index: int, size: int, rho: float, relevance: float = -1.0, refused: int = 0) -> ScoredGroup:
    made = toys.scored_group(index, size, relevance, refused=refused)
    return replace(made, signals={**made.signals, "rho": rho})


@pytest.mark.parametrize(
    ("size", "rho", "n_max", "budget", "expected"),
    [
        (512, 0.1, None, 512, 52),
        (512, 0.11, None, 512, 57),
        (1000, 0.1, None, 512, 100),  # not 101: 0.1 is a little more in fp32
        (512, 0.1, 30, 512, 30),
        (512, 0.1, None, 32, 32),
        (512, 0.1, 30, 20, 20),
        (5, 0.01, None, 512, 1),
        (7, 1.0, None, 512, 7),
    ],
)
def test_one_group(size: int, rho: float, n_max: int | None, budget: int, expected: int) -> None:
    assert LearnedRatio(n_max).allocate([group(0, size, rho)], toys.QUESTION, budget) == [expected]


@pytest.mark.parametrize(
    ("key", "said", "expected"), [(None, 30.0, 30), (None, None, 52), (40, 30.0, 40), (20, 30.0, 20)]
)
def test_the_key_before_what_the_checkpoint_says(key: int | None, said: float | None, expected: int) -> None:
    one = group(0, 512, 0.1)
    one = replace(one, signals={**one.signals, **({} if said is None else {"n_max": said})})
    assert LearnedRatio(key).allocate([one], toys.QUESTION, 512) == [expected]


def test_each_group_has_its_own_ratio_and_all_give_up_alike() -> None:
    groups = [group(0, 100, 0.4), group(1, 100, 0.2), group(2, 50, 0.4)]
    assert LearnedRatio(None).allocate(groups, toys.QUESTION, 999) == [40, 20, 20]
    assert LearnedRatio(None).allocate(groups, toys.QUESTION, 40) == [20, 10, 10]
    assert LearnedRatio(8).allocate(groups, toys.QUESTION, 40) == [4, 2, 2]


def test_refused_tokens_do_not_count() -> None:
    assert LearnedRatio(None).allocate([group(0, 100, 0.5, refused=60)], toys.QUESTION, 99) == [20]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0.01, 1.0)), min_size=1, max_size=6),
    st.integers(1, 200),
    st.one_of(st.none(), st.integers(1, 200)),
)
def test_what_is_wanted_as_far_as_it_is_allowed(sizes: list[tuple[int, float]], budget: int, n_max: int | None) -> None:
    groups = [group(i, size, rho) for i, (size, rho) in enumerate(sizes)]
    quotas = LearnedRatio(n_max).allocate(groups, toys.QUESTION, budget)
    wanted = [math.ceil(rho * size * (1 - 2e-7)) for size, rho in sizes]
    assert sum(quotas) == min(budget, n_max or budget, sum(wanted))
    assert all(quota <= most for quota, most in zip(quotas, wanted, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.integers(1, 300),
    mode=st.sampled_from(["learned", "drawn", "fixed"]),
    ratio=st.floats(1e-3, 1.0),
    n_max=st.one_of(st.none(), st.integers(1, 60)),
    seed=st.integers(0, 9),
)
def test_inference_keeps_what_training_keeps(
    tokens: int, mode: str, ratio: float, n_max: int | None, seed: int
) -> None:
    """Training gate, hard gate, and scorer with allocator: one count and the same tokens, wherever rho comes from."""
    view = toys.view(NEEDS, seed, ticks=math.ceil(tokens / (toys.ROWS * toys.COLUMNS)))
    view = replace(view, shown_tokens=view.tokens[torch.arange(tokens)])
    scores = QTSplus(f"random:{seed}", "paper", "learned" if mode == "learned" else ratio).score(view)
    seen = replace(group(0, tokens, 0.0), scores=scores.values, signals=scores.signals)
    (quota,) = LearnedRatio(n_max).allocate([seen], toys.QUESTION, tokens)

    masks = torch.ones(1, tokens, dtype=torch.bool), torch.ones(1, len(view.query), dtype=torch.bool)
    rho = {"learned": None, "drawn": torch.tensor([ratio]), "fixed": ratio}[mode]
    for gate in ("straight_through", "hard"):
        with torch.no_grad():
            chosen = random(seed, toys.WIDTH)(
                view.tokens.embeddings[None], masks[0], view.query[None], masks[1], rho=rho, most=n_max, gate=gate
            )
        assert int(chosen.count) == quota and float(chosen.rho) == pytest.approx(scores.signals["rho"], rel=1e-6)
        assert torch.equal(chosen.index[0], best(scores.values, quota))


def test_a_scorer_without_ratio_is_told() -> None:
    bare = replace(toys.scored_group(0, 12, -1.0), signals={})
    with pytest.raises(ValueError, match="scorer=qtsplus gives; this scorer has none"):
        LearnedRatio(None).allocate([bare], toys.QUESTION, 5)


@pytest.mark.parametrize("n_max", [0, -3])
def test_at_least_one_token(n_max: int) -> None:
    with pytest.raises(ValueError, match=r"qtsplus.n_max must be at least 1"):
        LearnedRatio(n_max)
