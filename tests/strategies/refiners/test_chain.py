"""Refiners in a row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch

from framework.core.interfaces import TokenRefiner
from framework.core.types import Candidates, Question, Selection
from framework.core.view import Needs
from framework.testing import toys
from framework.testing.contracts import check_refiner
from strategies.refiners.chain import Chain


@dataclass(frozen=True)
class Best(TokenRefiner):
    """Keeps the best by score, multiplies embeddings, and remembers what it was given."""

    overshoot: float
    factor: float = 1.0
    seen: list[tuple[int, int]] = field(default_factory=list)

    @property
    def remakes(self) -> bool:
        return self.factor != 1.0

    @property
    def needs(self) -> Needs:
        return Needs(query=self.factor != 1.0, logits=self.factor == 1.0)

    def refine(self, candidates: Candidates, question: Question, budget: int) -> Selection:
        self.seen.append((len(candidates), budget))
        scaled = replace(candidates.tokens, embeddings=candidates.tokens.embeddings * self.factor)
        best = candidates.score.argsort(descending=True, stable=True)[:budget]
        return Selection.of(replace(candidates, tokens=scaled), best, budget)

    def flops(self, candidates: Candidates, budget: int) -> float:
        return self.factor * budget


class Hiding(Best):
    """Changes embeddings without a word."""

    remakes = False


def test_contract() -> None:
    check_refiner(Chain({"a": Best(1.5), "b": Best(1.2)}))


def test_a_chain_remakes_embeddings_where_a_part_does() -> None:
    assert not Chain({"a": Best(1.5), "b": Best(1.2)}).remakes
    assert Chain({"a": Best(1.5), "b": Best(1.2, factor=2.0)}).remakes
    with pytest.raises(AssertionError, match="embeddings stay as they are where `remakes` is false"):
        check_refiner(Hiding(1.5, factor=2.0))


def test_every_part_gets_its_own_overshoot() -> None:
    parts = [Best(1.5), Best(1.2), Best(1.0)]
    chain = Chain({str(i): part for i, part in enumerate(parts)})
    assert chain.overshoot == pytest.approx(1.8)
    chain.refine(toys.candidates(18), toys.QUESTION, 10)
    assert [part.seen[0] for part in parts] == [(18, 12), (12, 10), (10, 10)]


def test_operations_add_up_over_what_each_part_may_leave() -> None:
    chain = Chain({"a": Best(1.5, factor=100.0), "b": Best(1.2, factor=10.0), "c": Best(1.0)})
    assert chain.flops(toys.candidates(18), 10) == 100 * 12 + 10 * 10 + 10


def test_scores_stay_with_their_tokens_and_changes_pass_on() -> None:
    given = toys.candidates(30)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(4))
    mixed = Candidates(given.tokens[order], given.group[order], given.score[order], given.weight[order], 3.0)
    kept = Chain({"a": Best(2.0, factor=2.0), "b": Best(1.5, factor=5.0)}).refine(mixed, toys.QUESTION, 10)
    best = given.score.argsort(descending=True)[:10].sort().values
    assert torch.equal(kept.tokens.embeddings, given.tokens.embeddings[best] * 2.0 * 5.0)
    assert torch.equal(kept.group, given.group[best])


def test_needs_are_the_union() -> None:
    assert Chain({"a": Best(1.0), "b": Best(1.0, factor=2.0)}).needs == Needs(query=True, logits=True)


def test_one_part_is_that_part() -> None:
    given = toys.candidates(12)
    alone, chained = Best(1.1).refine(given, toys.QUESTION, 9), Chain({"a": Best(1.1)}).refine(given, toys.QUESTION, 9)
    assert torch.equal(alone.tokens.embeddings, chained.tokens.embeddings)


def test_no_part_is_named() -> None:
    with pytest.raises(ValueError, match=r"refiner\.parts"):
        Chain({})


def test_one_part_that_takes_its_overshoot_once_is_enough() -> None:
    class Once(Best):
        def wider(self, budget: int) -> int | None:
            return 3 * budget

    assert Chain({"a": Best(1.5), "b": Best(1.2)}).wider(10) is None
    assert Chain({"a": Best(1.5), "b": Once(1.2)}).wider(10) == 18  # the product's, as before
