"""Lazy is plain greedy, prefixes are good enough, and rules hold in every prefix."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.ops.greedy.facility import Facility, Reach
from framework.ops.greedy.ordering import Order, Rules, greedy

spaces = st.sampled_from(["pixels", "features"])
seeds = st.integers(0, 10**6)


def plain(facility: Facility) -> tuple[list[int], list[float]]:
    """Every gain anew for every pick."""
    taken: list[int] = []
    gains = []
    while len(taken) < len(facility):
        found = {token: facility.gain(token) for token in range(len(facility)) if token not in taken}
        taken.append(max(found, key=lambda token: (found[token], -token)))
        gains.append(found[taken[-1]])
        facility.take(taken[-1])
    return taken, gains


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 24), seeds, spaces, st.booleans())
def test_lazy_is_plain_and_gains_never_grow(small: type, n: int, seed: int, space: str, coarse: bool) -> None:
    made = small(n, seed, space)
    if coarse:  # ties everywhere
        made.vectors, made.weights = made.vectors.round(), torch.ones(n)
    found, (taken, gains) = greedy(made.facility(), Rules()), plain(made.facility())
    assert found.tokens.tolist() == taken and found.gains.tolist() == gains
    assert (np.diff(found.gains) <= 0).all() and (np.diff(found.errors) <= 0).all() and found.errors[-1] == 0.0
    assert np.allclose(-np.diff(found.errors), found.gains, atol=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(2, 12), seeds, spaces, st.data())
def test_prefixes_against_the_best_of_all_sets(small: type, n: int, seed: int, space: str, data: st.DataObject) -> None:
    made = small(n, seed, space)
    k = data.draw(st.integers(1, min(n, 4)), "k")
    found = greedy(made.facility(), Rules())
    assert found.errors[k] == pytest.approx(made.error(found.tokens[:k]), abs=2e-5)
    nothing = made.error([])
    best = nothing - min(made.error(kept) for kept in combinations(range(n), k))
    assert nothing - found.errors[k] >= (1 - 1 / math.e) * best - 2e-5


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, 24),
    seeds,
    st.integers(0, 3),
    st.one_of(st.none(), st.floats(0.05, 1.0)),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.one_of(st.none(), st.floats(0.0, 0.9)),
)
def test_rules_keep_prefixes_nested_and_errors_falling(
    small: type, n: int, seed: int, floor: int, tick_share: float | None, alpha: float, enough: float | None
) -> None:
    made = small(n, seed)
    ranking = np.random.default_rng(seed).permutation(n)
    found = greedy(made.facility(), Rules(floor, tick_share, alpha, enough), ranking)
    assert len(set(found.tokens.tolist())) == len(found.tokens) == len(found.errors) - 1 >= 1
    assert (np.diff(found.errors) <= 0).all()
    assert found.errors[-1] == pytest.approx(made.error(found.tokens), abs=2e-5)
    slots = made.facility().slot
    held = np.bincount(slots)
    floored = np.minimum(floor, held).sum()
    had = np.bincount(slots[found.tokens[:floored]], minlength=len(held))
    assert (had == np.minimum(floor, held)).all()
    if enough is None:
        assert len(found.tokens) == n
    else:
        assert found.errors[-1] <= enough * found.errors[0]
        assert len(found.tokens) == max(1, floored) or found.errors[-2] > enough * found.errors[0]


def test_seeds_take_their_share_of_every_prefix(small: type) -> None:
    made = small(20, 4)
    ranking = np.random.default_rng(1).permutation(20)
    best = set(ranking[:4].tolist())
    assert set(greedy(made.facility(), Rules(seed_share=0.5), ranking).tokens[:8].tolist()) >= best
    assert greedy(made.facility(), Rules(seed_share=1.0), ranking).tokens.tolist() == ranking.tolist()
    unseeded = greedy(made.facility(), Rules(), ranking).tokens.tolist()
    assert unseeded == greedy(made.facility(), Rules()).tokens.tolist() != ranking.tolist()
    mixed = greedy(made.facility(), Rules(seed_share=0.25), ranking).tokens.tolist()
    assert mixed[0] == ranking[0]  # of k tokens ceil(k / 4): numbers 1, 5, 9
    after = [token for token in ranking.tolist() if token not in mixed[:4]]
    assert mixed[4] == after[0]


def still(ticks: int, cells: int) -> Facility:
    """A picture that does not move."""
    place = torch.cartesian_prod(torch.arange(ticks), torch.zeros(1).long(), torch.arange(cells)).T
    return Facility(
        torch.eye(cells).repeat(ticks, 1), place, torch.ones(ticks * cells), "pixels",
        Reach(0, "bidirectional", None, False),
    )  # fmt: skip


def test_a_still_video_is_its_first_tick() -> None:
    found = greedy(still(5, 4), Rules())
    assert sorted(found.tokens[:4].tolist()) == [0, 1, 2, 3] and found.errors[4] == 0.0
    assert found.relative[:5] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert greedy(still(5, 4), Rules(enough=0.0)).tokens.tolist() == found.tokens[:4].tolist()
    floored = greedy(still(5, 4), Rules(floor=1)).tokens
    assert sorted((floored[:5] // 4).tolist()) == [0, 1, 2, 3, 4]


def test_a_tick_has_at_most_its_share() -> None:
    free, capped = greedy(still(5, 4), Rules()), greedy(still(5, 4), Rules(tick_share=0.4))
    assert np.bincount(free.tokens[:4] // 4)[0] == 4
    for count in range(1, 11):
        most = max(1, math.floor(0.4 * count + 1e-9))
        assert np.bincount(capped.tokens[:count] // 4).max() <= most
    one_tick = greedy(still(1, 4), Rules(tick_share=0.4))
    assert sorted(one_tick.tokens.tolist()) == [0, 1, 2, 3]  # there is no other tick to give to


def test_nothing_to_explain_is_no_error(one_cell: Callable[[torch.Tensor, Reach], Facility]) -> None:
    found = greedy(one_cell(torch.rand(1, 3), Reach(0, "causal", None, False)), Rules())
    assert found.tokens.tolist() == [0] and found.relative.tolist() == [0.0, 0.0]
    assert Order(np.arange(2), np.zeros(2), np.asarray([4.0, 1.0, 0.0])).relative.tolist() == [1.0, 0.25, 0.0]


@pytest.mark.parametrize(
    ("rules", "why"),
    [({"floor": -1}, "floor must be >= 0"), ({"tick_share": 0.0}, "tick_share must be null"),
     ({"tick_share": math.nan}, "tick_share must be null"), ({"seed_share": 1.5}, "alpha must be a share"),
     ({"seed_share": math.nan}, "alpha must be a share"), ({"enough": 1.0}, "enough must be null"),
     ({"enough": -0.1}, "enough must be null"), ({"enough": math.nan}, "enough must be null")],
)  # fmt: skip
def test_rules_that_cannot_be(rules: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Rules(**rules)  # type: ignore[arg-type]
