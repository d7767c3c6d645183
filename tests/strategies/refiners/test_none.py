"""Keeping the candidates as they are."""

from __future__ import annotations

from dataclasses import replace

import torch

from framework.testing import toys
from framework.testing.contracts import check_refiner
from strategies.refiners.none import Unrefined


def test_contract_and_no_overshoot() -> None:
    check_refiner(Unrefined())
    assert Unrefined().overshoot == 1.0


def test_within_the_budget_all_are_kept_untouched() -> None:
    given = toys.candidates(10)
    kept = Unrefined().refine(given, toys.QUESTION, 10)
    assert torch.equal(kept.tokens.embeddings, given.tokens.embeddings)
    assert torch.equal(kept.group, given.group)


def test_beyond_the_budget_the_worthiest_are_kept_ties_by_place() -> None:
    score, weight = torch.tensor([0.5, 0.9, 0.2, 0.4, 0.4]), torch.tensor([1.0, 0.1, 1.0, 0.5, 0.5])
    given = replace(toys.candidates(5), score=score, weight=weight)  # worth .5 .09 .2 .2 .2
    kept = Unrefined().refine(given, toys.QUESTION, 3)
    assert torch.equal(kept.tokens.embeddings, given.tokens.embeddings[[0, 2, 3]])
    assert kept.group.tolist() == given.group[[0, 2, 3]].tolist()


def test_no_budget_and_no_candidates() -> None:
    assert len(Unrefined().refine(toys.candidates(5), toys.QUESTION, 0)) == 0
    assert len(Unrefined().refine(toys.candidates(0), toys.QUESTION, 4)) == 0
