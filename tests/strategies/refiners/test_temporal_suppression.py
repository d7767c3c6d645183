"""Non-maximum suppression in time: by hand, and against a naive loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

from framework.core.types import Candidates, Tokens
from framework.testing import toys
from framework.testing.contracts import check_refiner
from strategies.refiners.temporal_suppression import TemporalSuppression


def _refiner(**changed: Any) -> TemporalSuppression:
    plain = {"overshoot": 1.5, "window_seconds": 2.0, "threshold": 0.9, "same_place": True, "fill": True}
    return TemporalSuppression(**{**plain, **changed})


def _row(scores: list[float], columns: list[int] | None = None) -> Candidates:
    """Identical tokens, one per second."""
    n = len(scores)
    tick, zeros = torch.arange(n), torch.zeros(n, dtype=torch.long)
    column = torch.tensor(columns) if columns else zeros
    tokens = Tokens(torch.full((n, 3), 0.3), tick, zeros, column, tick.double())
    return Candidates(tokens, zeros, torch.tensor(scores), torch.ones(n), 1.0)


def _kept(given: Candidates, budget: int, refiner: TemporalSuppression) -> list[int]:
    return refiner.refine(given, toys.QUESTION, budget).tokens.tick.tolist()


@pytest.mark.parametrize("changed", [{}, {"fill": False}, {"same_place": False, "threshold": -1.0}])
def test_contract(changed: dict[str, Any]) -> None:
    check_refiner(_refiner(**changed))


def test_the_worthiest_silences_its_neighbours() -> None:
    given = _row([0.1, 0.5, 0.9, 0.8, 0.4, 0.7, 0.2])
    # 2 silences 0, 1, 3, 4; then 5 silences 6
    assert _kept(given, 7, _refiner(fill=False)) == [2, 5]
    assert _kept(given, 1, _refiner(fill=False)) == [2]
    assert _kept(given, 4, _refiner()) == [1, 2, 3, 5]  # filled with the best of the silenced


def test_a_silenced_token_silences_nobody() -> None:
    # 1 silences 3; 3 would have silenced 5, which stands
    assert _kept(_row([0.0, 0.9, 0.0, 0.8, 0.0, 0.7]), 9, _refiner(fill=False)) == [1, 5]


def test_place_and_similarity_protect() -> None:
    given = _row([0.9, 0.8, 0.7, 0.6], columns=[0, 1, 0, 1])
    assert _kept(given, 4, _refiner(fill=False)) == [0, 1]
    assert _kept(given, 4, _refiner(fill=False, same_place=False)) == [0, 3]
    given.tokens.embeddings[2] = torch.tensor([1.0, -1.0, 0.0])
    assert _kept(given, 4, _refiner(fill=False)) == [0, 1, 2]


def test_ties_go_to_the_earlier_place() -> None:
    assert _kept(_row([0.5] * 7), 9, _refiner(fill=False)) == [0, 3, 6]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("same_place", [True, False])
def test_against_a_naive_loop(seed: int, same_place: bool) -> None:
    given = toys.candidates(60, seed)
    t = given.tokens
    refiner = _refiner(fill=False, same_place=same_place, threshold=0.1)
    similar = cosine_similarity(t.embeddings[:, None].double(), t.embeddings[None].double(), dim=-1)
    standing, kept = set(range(60)), []
    for i in sorted(range(60), key=lambda i: -float(given.score[i] * given.weight[i])):
        if i in standing and len(kept) < 45:
            kept.append(i)
            standing -= {
                j
                for j in range(60)
                if abs(float(t.seconds[i] - t.seconds[j])) <= 2.0
                and float(similar[i, j]) >= 0.1
                and (not same_place or (int(t.row[i]), int(t.column[i])) == (int(t.row[j]), int(t.column[j])))
            }
    found = refiner.refine(given, toys.QUESTION, 45).tokens
    assert torch.equal(found.embeddings, t.embeddings[sorted(kept)])


def test_with_fill_the_budget_is_spent_exactly() -> None:
    given = toys.candidates(50, 2)
    for budget in (0, 1, 49, 50, 60):
        kept = _refiner(same_place=False, threshold=-1.0).refine(given, toys.QUESTION, budget)
        assert len(kept) == min(50, budget)
    assert len(_refiner().refine(toys.candidates(0), toys.QUESTION, 3)) == 0


def test_group_weight_counts() -> None:
    given = replace(_row([0.9, 0.8]), weight=torch.tensor([0.1, 0.9]))
    assert _kept(given, 1, _refiner()) == [1]


@pytest.mark.parametrize(
    ("changed", "key"),
    [({"overshoot": 0.5}, "overshoot"), ({"window_seconds": 0}, "window_seconds"), ({"threshold": 2}, "threshold")],
)
def test_bad_keys_are_named(changed: dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=rf"refiner\.{key} must be"):
        _refiner(**changed)
