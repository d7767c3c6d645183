"""The costs of a ratio, by hand; the mean that holds it steady counts training samples alone and survives a save."""

from __future__ import annotations

import pytest
import torch

from strategies.learned.qtsplus.training.losses import Costs, CostSettings

SETTINGS = CostSettings(flops=0.1, kv=0.17, smooth=0.05, capped=True)


def test_by_hand() -> None:
    costs = Costs(SETTINGS)
    rho, count = torch.tensor([0.1, 0.3], requires_grad=True), torch.tensor([1000, 1000])
    terms = costs(rho, count, 200)  # k / n_max = .5 and 1.5, capped at 1
    assert terms["flops"].item() == pytest.approx(0.1 * (0.25 + 1) / 2)
    assert terms["kv"].item() == pytest.approx(0.17 * 0.75)
    assert terms["smooth"].item() == pytest.approx(0.05 * 0.01)  # both are .1 from their mean
    sum(terms.values()).backward()  # type: ignore[union-attr]
    assert rho.grad is not None
    assert rho.grad[0].item() == pytest.approx(0.1 * 2 * 0.5 * 5 / 2 + 0.17 * 5 / 2 + 0.05 * 2 * -0.1 / 2)
    assert rho.grad[1].item() == pytest.approx(0.05 * 2 * 0.1 / 2)  # beyond the cap a larger ratio costs no more


def test_uncapped_and_without_a_limit() -> None:
    uncapped = Costs(CostSettings(1.0, 0.0, 0.0, False))
    assert uncapped(torch.tensor([0.5]), torch.tensor([800]), 100)["flops"].item() == pytest.approx(16.0)
    shares = Costs(SETTINGS)(torch.tensor([0.5]), torch.tensor([800]), None)
    assert shares["kv"].item() == pytest.approx(0.17 * 0.5)


def test_the_mean_runs_over_all_batches_and_is_saved() -> None:
    costs = Costs(SETTINGS)
    costs(torch.tensor([0.2, 0.4]), torch.tensor([10, 10]), None)
    again = Costs(SETTINGS)
    again.load_state_dict(costs.state_dict())
    smooth = again(torch.tensor([0.6]), torch.tensor([10]), None)["smooth"]
    assert smooth.item() == pytest.approx(0.05 * (0.6 - 0.4) ** 2)
