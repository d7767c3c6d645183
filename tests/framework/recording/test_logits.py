"""Compact logits say the same as whole ones, to every estimator."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from framework.core.view import Probe
from framework.ops.certainty import entropy, log_probability, margin, probabilities, signals, variance
from framework.recording.logits import CompactLogits, spread

OPTIONS = torch.tensor([7, 3, 11, 2])


def made(rows: int, vocabulary: int, scale: float, head: float, seed: int) -> Tensor:
    """Logits like a model's: noise, and a few tokens far above it."""
    noise = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(rows, vocabulary, generator=noise)
    logits[:, torch.randperm(vocabulary, generator=noise)[:5]] += head
    return logits


def always(logits: Tensor) -> Tensor:
    return torch.cat([OPTIONS, logits.argmax(1)])


def rebuilt(logits: Tensor, kept: int = 256) -> Tensor:
    return CompactLogits.of(logits, always(logits), kept).full(logits.shape[1])


def test_small_vocabularies_stay_whole() -> None:
    logits = made(2, 372, 1.0, 0.0, 0)
    assert torch.equal(rebuilt(logits), logits)


@given(
    rows=some.integers(1, 3),
    vocabulary=some.integers(40, 3000),
    scale=some.floats(0.1, 6.0),
    head=some.floats(0.0, 20.0),
    seed=some.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_every_signal_survives(rows: int, vocabulary: int, scale: float, head: float, seed: int) -> None:
    kept = 16
    logits = made(rows, vocabulary, scale, head, seed)
    again = rebuilt(logits, kept)
    before, after = probabilities(logits.double()).double(), probabilities(again).double()
    assert after.sum(1).tolist() == pytest.approx([1.0] * rows, abs=1e-6)
    for figure in (entropy, margin, log_probability):
        assert figure(after).tolist() == pytest.approx(figure(before).tolist(), abs=5e-6)
    best = logits.topk(kept - len(always(logits)), dim=1)
    highest = float(before.gather(1, best.indices)[:, -1].max())  # no token of the tail is above
    assert variance(after).tolist() == pytest.approx(variance(before).tolist(), abs=highest / vocabulary + 1e-9)
    assert torch.equal(again.gather(1, best.indices), best.values)
    assert torch.equal(again[:, OPTIONS], logits[:, OPTIONS])
    assert torch.equal(again.argmax(1), logits.argmax(1))


def test_a_vocabulary_of_150000() -> None:
    logits = made(1, 150_000, 2.0, 9.0, 1)
    probe = Probe({}, OPTIONS, response_logits=logits, response=(int(logits.argmax()),))
    again = Probe({}, OPTIONS, response_logits=rebuilt(logits), response=probe.response)
    assert signals(again) == pytest.approx(signals(probe), abs=3e-6)
    open_ended = Probe({}, torch.zeros(0, dtype=torch.long), response_logits=logits)
    open_again = Probe({}, torch.zeros(0, dtype=torch.long), response_logits=again.logits)
    assert signals(open_again) == pytest.approx(signals(open_ended), abs=3e-6)


def test_a_tail_without_mass_is_no_tail() -> None:
    logits = torch.full((1, 600), -math.inf)
    logits[0, :9] = torch.arange(9.0)
    assert torch.equal(rebuilt(logits, 16), logits)


def test_a_flat_tail_stays_flat() -> None:
    logits = torch.zeros(1, 1000)
    assert torch.allclose(rebuilt(logits, 16), logits, atol=1e-5)


@given(entropy_of_tail=some.floats(0.0, math.log(500)))
@settings(max_examples=50, deadline=None)
def test_spread_has_the_mass_and_the_entropy(entropy_of_tail: float) -> None:
    many, likely, less = spread(entropy_of_tail, 500)
    parts = torch.tensor([likely] * (many - 1) + [less], dtype=torch.float64)
    assert (many <= 500 and 0 <= less <= likely + 1e-12) or many == 1
    assert float(parts.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(entropy(parts)) == pytest.approx(entropy_of_tail, abs=1e-9)


def test_two_equal_and_one_less_by_hand() -> None:
    told = -(2 * 0.4 * math.log(0.4) + 0.2 * math.log(0.2))
    many, likely, less = spread(told, 100)
    assert (many, likely, less) == (3, pytest.approx(0.4), pytest.approx(0.2))
