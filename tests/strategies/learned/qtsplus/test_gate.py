"""Gates against their formulas: what is kept, with which chance, and which gradient it has."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.learned.qtsplus.gate import gumbel, straight_through, threshold, top


def scores(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, count, generator=torch.Generator().manual_seed(seed))


def everything(values: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(values, dtype=torch.bool)


def test_ties_go_to_the_earlier() -> None:
    values = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0]])
    assert top(values, torch.tensor([2])).tolist() == [[False, True, True, False, False]]


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.floats(0.02, 0.98), st.sampled_from([0.01, 0.1, 0.5]), st.integers(0, 99), st.booleans())
def test_the_threshold_solves_its_equation(count: int, share: float, tau: float, seed: int, two_heaps: bool) -> None:
    """Also for scores in two heaps, on which Newton's steps run away."""
    values = scores(count, seed) + (100.0 * (torch.arange(count) % 2) if two_heaps else 0.0)
    total = torch.tensor([share * count])
    found = threshold(values, everything(values), total, tau)
    assert float(((values - found[:, None]) / tau).sigmoid().sum()) == pytest.approx(float(total), abs=2e-2)


def test_gradients_by_the_formula() -> None:
    """With s = sigmoid((x - t) / tau) and w = s (1 - s): ds_i/dx_j = w_i (delta_ij - w_j / sum w) / tau and
    ds_i/dtotal = w_i / sum w.
    """
    tau, values, total = 0.4, scores(9).requires_grad_(), torch.tensor([3.3], requires_grad=True)
    gate = straight_through(values, everything(values), torch.tensor([4]), total, tau)
    assert torch.equal(gate.detach().round(), top(values, torch.tensor([4])).float())
    weight = torch.linspace(-1, 2, 9)
    by_value, by_total = torch.autograd.grad((gate[0] * weight).sum(), (values, total))
    with torch.no_grad():
        soft = ((values - threshold(values, everything(values), total, tau)[:, None]) / tau).sigmoid()[0]
        w = soft * (1 - soft)
        jacobian = (torch.diag(w) - w[:, None] * w / w.sum()) / tau
    torch.testing.assert_close(by_value[0], weight @ jacobian)
    torch.testing.assert_close(by_total[0], (weight * w).sum() / w.sum())


def test_dropped_tokens_hear_of_it() -> None:
    values = scores(12).requires_grad_()
    gate = straight_through(values, everything(values), torch.tensor([3]), torch.tensor([3.0]), 0.5)
    gate[0, ~top(values, torch.tensor([3]))[0]].sum().backward()
    assert (values.grad.abs() > 0).all()


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_gumbel_keeps_with_the_chance_of_its_logit(tau: float) -> None:
    """P(kept) = sigmoid(r - t), whatever tau is in the draw: so many more are kept than n when tau is small."""
    count, draws = 40, 4000
    log_scores = scores(count).log_softmax(-1)
    total = torch.tensor([0.1 * count])
    t = threshold(log_scores.exp(), everything(log_scores), total, tau)
    chance = (log_scores.exp() - t[:, None]).sigmoid()[0]
    torch.manual_seed(0)
    many = (x.expand(draws, *x.shape[1:]) for x in (log_scores, everything(log_scores), total))
    kept = gumbel(*many, tau).mean(0)
    error = (chance * (1 - chance) / draws).sqrt()
    assert ((kept - chance).abs() < 5 * error).all()
    assert float(chance.sum()) > 1.5 * float(total)


def test_gumbel_keeps_the_best_when_it_draws_none() -> None:
    log_scores = torch.tensor([[0.2, 0.7, 0.1]]).log().expand(500, -1)
    torch.manual_seed(0)
    drawn = gumbel(log_scores, everything(log_scores), torch.full((500,), 1e-6), 0.5)
    assert ((drawn > 0.5).sum(1) >= 1).all()
    assert float((drawn.round() == torch.tensor([0.0, 1.0, 0.0])).all(1).float().mean()) > 0.98
