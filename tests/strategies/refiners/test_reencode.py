"""The re-encoder on candidates: the selector's own numbers, at the candidates' places, in temporal order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from framework.core.types import Candidates
from framework.testing import toys
from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.refiners.chain import Chain
from strategies.refiners.none import Unrefined
from strategies.refiners.reencode import Reencode


def saved(place: Path, time: bool) -> Selector:
    torch.manual_seed(6)
    selector = Selector(Shape(16, 4, 2, 1, 2, time, False), 0.1, 0.6, scaled=True, dropout=0.0, chunk=7)
    for parameter in selector.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    checkpoint.save(selector, place, rho=0.1, n_max=None, positions="kept", notes={})
    return selector


def later(candidates: Candidates, seconds: float) -> Candidates:
    return replace(candidates, tokens=replace(candidates.tokens, seconds=candidates.tokens.seconds + seconds))


def test_numbers_and_places(tmp_path: Path) -> None:
    selector, given = saved(tmp_path, time=True), toys.candidates(30)
    found = Reencode(str(tmp_path), "paper").refine(given, toys.QUESTION, 12)
    plain = Unrefined().refine(given, toys.QUESTION, 12)
    for name in ("tick", "row", "column", "seconds"):
        assert torch.equal(getattr(found.tokens, name), getattr(plain.tokens, name))
    assert torch.equal(found.group, plain.group) and found.end_seconds == plain.end_seconds
    states = plain.tokens.embeddings[None]
    with torch.no_grad():
        expected = selector.reencode(states, torch.ones(1, 12, dtype=torch.bool), plain.tokens.seconds[None])[0]
    torch.testing.assert_close(found.tokens.embeddings, expected)
    assert (expected - states[0]).abs().max() > 0.1


@pytest.mark.parametrize("time", [True, False])
def test_time_matters_only_to_a_selector_that_knows_it(tmp_path: Path, time: bool) -> None:
    saved(tmp_path, time)
    refiner, given = Reencode(str(tmp_path), "paper"), toys.candidates(12)
    first, second = (refiner.refine(c, toys.QUESTION, 12).tokens.embeddings for c in (given, later(given, 100.0)))
    assert torch.equal(first, second) is not time


def test_in_a_chain_the_next_one_sees_new_embeddings(tmp_path: Path) -> None:
    saved(tmp_path, time=False)
    alone = Reencode(str(tmp_path), "paper")
    chain = Chain({"first": alone, "second": Unrefined()})
    assert chain.overshoot == alone.overshoot == 1.0
    given = toys.candidates(12)
    one, other = (part.refine(given, toys.QUESTION, 12).tokens.embeddings for part in (alone, chain))
    assert torch.equal(one, other)


def test_the_dtype_stays_and_the_weights_are_not_spoilt_by_it(tmp_path: Path) -> None:
    saved(tmp_path, time=False)
    refiner, given = Reencode(str(tmp_path), "paper"), toys.candidates(12)
    half = replace(given, tokens=replace(given.tokens, embeddings=given.tokens.embeddings.bfloat16()))
    before = refiner.refine(given, toys.QUESTION, 12).tokens.embeddings
    changed = refiner.refine(half, toys.QUESTION, 12).tokens.embeddings
    assert changed.dtype == torch.bfloat16
    torch.testing.assert_close(changed.float(), before, atol=0.2, rtol=0.05)
    assert torch.equal(refiner.refine(given, toys.QUESTION, 12).tokens.embeddings, before)


def test_random_weights_change_nothing() -> None:
    given = toys.candidates(12)
    found = Reencode("random:3", "compat").refine(given, toys.QUESTION, 12)
    assert torch.equal(found.tokens.embeddings, Unrefined().refine(given, toys.QUESTION, 12).tokens.embeddings)


def test_no_checkpoint() -> None:
    with pytest.raises(ValueError, match=r"qtsplus.checkpoint is not set.*sieve train recipe=qtsplus"):
        Reencode(None, "paper")
