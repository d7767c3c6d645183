"""Location-aware removal, against a naive search over all pairs in float64 and against cases worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from framework.core.types import Candidates, Tokens
from framework.testing import toys
from framework.testing.contracts import check_refiner
from strategies.refiners.location_aware import LocationAware


def _refiner(**changed: Any) -> LocationAware:
    plain: dict[str, Any] = {
        "overshoot": 1.1,
        "kernel": "multiply",
        "proximity_weight": 0.5,
        "sigma_seconds": None,
        "sigma_cells": 2.0,
        "same_place": False,
        "window_seconds": None,
        "dense_limit": 40_000,
        "iterative": True,
        "operation": "drop",
        "overshoot_of": "quota",
    }
    return LocationAware(**{**plain, **changed})


def _candidates(count: int, seed: int, per_tick: int = 4) -> Candidates:
    """Random tokens, some of them near-duplicates of others."""
    noise = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(count, 8, generator=noise)
    copies = torch.randperm(count, generator=noise)[: count // 2]
    origins = torch.randint(0, count, (len(copies),), generator=noise)
    embeddings[copies] = embeddings[origins] + 0.2 * torch.randn(len(copies), 8, generator=noise)
    at = torch.arange(count)
    tick = at // per_tick
    tokens = Tokens(embeddings, tick, at % per_tick // 2, at % 2, tick.double() * 0.7)
    group = tick % 3
    weight = torch.tensor([0.5, 0.3, 0.2])[group]
    return Candidates(tokens, group, torch.rand(count, generator=noise), weight, stride_seconds=2.1)


def _similarity(given: Candidates, i: int, j: int, refiner: LocationAware) -> float:
    t = given.tokens
    a, b = t.embeddings[i].double().numpy(), t.embeddings[j].double().numpy()
    cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    gap = abs(float(t.seconds[i] - t.seconds[j]))
    rise, run = int(t.row[i] - t.row[j]), int(t.column[i] - t.column[j])
    if refiner.window_seconds is not None and gap > refiner.window_seconds:
        return -math.inf
    if refiner.same_place and (rise or run):
        return -math.inf
    proximity = math.exp(-gap / (refiner.sigma_seconds or given.stride_seconds))
    if refiner.kernel == "add":
        return cosine + refiner.proximity_weight * proximity
    if refiner.kernel == "spatio_temporal":
        proximity *= math.exp(-(rise**2 + run**2) / (2 * refiner.sigma_cells**2))
    return cosine * proximity


def _naive(given: Candidates, budget: int, refiner: LocationAware) -> list[int]:
    """One removal at a time, every pair looked at every time."""
    count = len(given)
    similarity = {(i, j): _similarity(given, i, j, refiner) for i in range(count) for j in range(i + 1, count)}
    worth = (given.score * given.weight).tolist()
    alive = set(range(count))
    while len(alive) > budget:
        pairs = [(value, pair) for pair, value in similarity.items() if value > -math.inf and alive.issuperset(pair)]
        if pairs:
            victim = min(max(pairs)[1], key=lambda i: worth[i])
        else:
            victim = min(alive, key=lambda i: worth[i])
        alive.remove(victim)
    return sorted(alive)


def _kept(given: Candidates, budget: int, refiner: LocationAware) -> list[int]:
    places = {
        (int(t), int(r), int(c)): i
        for i, (t, r, c) in enumerate(zip(given.tokens.tick, given.tokens.row, given.tokens.column, strict=True))
    }
    kept = refiner.refine(given, toys.QUESTION, budget)
    found = [
        places[int(t), int(r), int(c)]
        for t, r, c in zip(kept.tokens.tick, kept.tokens.row, kept.tokens.column, strict=True)
    ]
    assert kept.group.tolist() == given.group[found].tolist()
    return found


VARIANTS: list[dict[str, Any]] = [
    {},
    {"kernel": "add"},
    {"kernel": "spatio_temporal"},
    {"same_place": True},
    {"window_seconds": 1.5},
    {"window_seconds": 0.5, "same_place": True},  # nothing is related to anything: by worth alone
    {"sigma_seconds": 0.4},
]


@pytest.mark.parametrize("changed", [*VARIANTS, {"iterative": False}, {"operation": "merge"}])
def test_contract(changed: dict[str, Any]) -> None:
    check_refiner(_refiner(**changed))


@pytest.mark.parametrize("changed", VARIANTS)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_naive_search(changed: dict[str, Any], seed: int) -> None:
    refiner, given = _refiner(**changed), _candidates(44, seed)
    for budget in (40, 20, 3):
        assert _kept(given, budget, refiner) == _naive(given, budget, refiner)


@pytest.mark.parametrize("seed", range(3))
def test_banded_equals_dense(seed: int) -> None:
    given = _candidates(150, seed)
    dense = _refiner(sigma_seconds=1.0, window_seconds=5.0)
    banded = _refiner(sigma_seconds=1.0, dense_limit=149)  # above the limit: a window of 5 sigma
    everything = _refiner(sigma_seconds=1.0)
    assert _kept(given, 120, banded) == _kept(given, 120, dense) == _kept(given, 120, everything)


def test_exactly_the_budget_whatever_the_order() -> None:
    given = _candidates(60, 9)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    mixed = Candidates(
        given.tokens[order], given.group[order], given.score[order], given.weight[order], given.stride_seconds
    )
    for changed in VARIANTS:
        for budget in (1, 30, 59, 60, 70):
            first, second = (_refiner(**changed).refine(one, toys.QUESTION, budget) for one in (given, mixed))
            assert len(first) == min(budget, 60)
            assert torch.equal(first.tokens.embeddings, second.tokens.embeddings)


def _three(first: float, second: float, third: float) -> Candidates:
    """Tokens at 0, 1 and 10 s, all alike, with these scores."""
    seconds = torch.tensor([0.0, 1.0, 10.0], dtype=torch.float64)
    zeros = torch.zeros(3, dtype=torch.long)
    tokens = Tokens(torch.ones(3, 4), torch.tensor([0, 1, 10]), zeros, zeros, seconds)
    return Candidates(tokens, zeros, torch.tensor([first, second, third]), torch.ones(3), stride_seconds=2.0)


def test_of_the_nearest_pair_the_less_worthy_goes() -> None:
    assert _kept(_three(0.5, 0.4, 0.1), 2, _refiner()) == [0, 2]  # the far one stays though it is worth least
    assert _kept(_three(0.4, 0.5, 0.1), 2, _refiner()) == [1, 2]
    assert _kept(_three(0.4, 0.4, 0.4), 2, _refiner()) == [0, 2]  # a tie: the earlier place survives
    assert _kept(_three(0.4, 0.5, 0.1), 1, _refiner()) == [1]


def test_group_weight_counts() -> None:
    given = replace(_three(0.5, 0.4, 0.1), weight=torch.tensor([0.1, 0.9, 0.9]))
    assert _kept(given, 2, _refiner()) == [1, 2]


def test_among_equally_similar_pairs_the_least_worthy_token_goes() -> None:
    """A still video: all pairs of neighbouring ticks are equally similar, so removal follows worth, not position."""
    tick = torch.arange(8)
    zeros = torch.zeros(8, dtype=torch.long)
    tokens = Tokens(torch.ones(8, 4), tick, zeros, zeros, tick.double())
    score = torch.tensor([0.8, 0.7, 0.9, 0.6, 0.95, 0.5, 0.99, 0.3])
    given = Candidates(tokens, zeros, score, torch.ones(8), stride_seconds=2.0)
    assert _kept(given, 7, _refiner()) == [0, 1, 2, 3, 4, 5, 6]
    assert _kept(given, 5, _refiner()) == [0, 1, 2, 4, 6]
    assert _kept(given, 4, _refiner()) == [0, 2, 4, 6]


def test_neighbours_beyond_the_short_list_are_found_again() -> None:
    """Sixty copies of one token: lists of neighbours run dry again and again."""
    tick = torch.arange(60)
    zeros = torch.zeros(60, dtype=torch.long)
    score = torch.rand(60, generator=torch.Generator().manual_seed(2))
    tokens = Tokens(torch.ones(60, 4), tick, zeros, zeros, tick.double() ** 1.1)
    given = Candidates(tokens, zeros, score, torch.ones(60), stride_seconds=9.0)
    for budget in (30, 5, 1):
        assert _kept(given, budget, _refiner()) == _naive(given, budget, _refiner())


@pytest.mark.parametrize("seed", range(3))
def test_all_at_once_drops_what_most_resembles_something_worthier(seed: int) -> None:
    refiner, given = _refiner(iterative=False), _candidates(40, seed)
    worth = (given.score * given.weight).tolist()
    resembles = {
        i: max((_similarity(given, i, j, refiner) for j in range(40) if worth[j] > worth[i]), default=-math.inf)
        for i in range(40)
    }
    gone = sorted(resembles, key=lambda i: resembles[i])[-8:]
    assert _kept(given, 32, refiner) == sorted(set(range(40)) - set(gone))


def test_merging_averages_what_was_merged() -> None:
    given = _three(0.5, 0.4, 0.3)
    embeddings = torch.tensor([[2.0, 0.0], [1.0, 0.2], [-1.0, 1.0]])
    given = replace(given, tokens=replace(given.tokens, embeddings=embeddings))
    pair = _refiner(operation="merge").refine(given, toys.QUESTION, 2).tokens
    assert pair.tick.tolist() == [0, 10]
    assert pair.embeddings.tolist() == [pytest.approx([1.5, 0.1]), pytest.approx([-1.0, 1.0])]
    one = _refiner(operation="merge").refine(given, toys.QUESTION, 1).tokens
    assert one.embeddings[0].tolist() == pytest.approx([2.0 / 3, 0.4])  # all three, each counted once


@pytest.mark.parametrize("iterative", [True, False])
def test_merging_keeps_the_total_of_the_embeddings_it_merges(iterative: bool) -> None:
    given = _candidates(30, 3)
    kept = _refiner(operation="merge", iterative=iterative).refine(given, toys.QUESTION, 1).tokens
    assert torch.allclose(kept.embeddings[0], given.tokens.embeddings.mean(0), atol=1e-5)
    assert kept.embeddings.dtype == given.tokens.embeddings.dtype


def test_half_precision_and_empty_input() -> None:
    given = _candidates(20, 1)
    half = replace(given, tokens=replace(given.tokens, embeddings=given.tokens.embeddings.bfloat16()))
    assert _refiner(operation="merge").refine(half, toys.QUESTION, 15).tokens.embeddings.dtype == torch.bfloat16
    assert len(_refiner().refine(toys.candidates(0), toys.QUESTION, 5)) == 0
    assert len(_refiner().refine(given, toys.QUESTION, 0)) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"overshoot": 0.9}, r"refiner\.overshoot must be >= 1, got 0\.9"),
        ({"kernel": "gauss"}, r"refiner\.kernel must be one of multiply, add, spatio_temporal, got 'gauss'"),
        ({"operation": "mean"}, r"refiner\.operation must be"),
        ({"overshoot_of": "group"}, r"refiner\.overshoot_of must be one of quota, budget, got 'group'"),
        ({"sigma_seconds": 0.0}, r"refiner\.sigma_seconds must be > 0"),
        ({"window_seconds": -1.0}, r"refiner\.window_seconds must be > 0"),
        ({"sigma_cells": 0.0}, r"refiner\.sigma_cells must be > 0"),
    ],
)
def test_bad_keys_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _refiner(**changed)


@pytest.mark.parametrize(("budget", "wider"), [(10, 11), (32, 36), (7040, 7744), (1, 2)])
def test_an_overshoot_that_is_taken_once_is_rounded_up_once(budget: int, wider: int) -> None:
    assert _refiner(overshoot_of="budget").wider(budget) == wider
    assert _refiner().wider(budget) is None
