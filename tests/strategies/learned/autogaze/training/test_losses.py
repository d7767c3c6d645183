"""Both supervised losses by hand; padded and unknown slots weigh nothing and carry no gradient."""

from __future__ import annotations

import math

import pytest
import torch

from strategies.learned.autogaze.training.losses import head_loss, pick_loss


def test_picks_are_averaged_over_valid_ones_of_the_batch() -> None:
    log_p = torch.tensor([[[-1.0, -2.0]], [[-4.0, -100.0]]], requires_grad=True)
    valid = torch.tensor([[[True, True]], [[True, False]]])
    loss = pick_loss(log_p, valid)
    # published: a sample's sum over the mean number of picks (1.5), then the mean over samples
    assert loss.item() == pytest.approx((3 / 1.5 + 4 / 1.5) / 2) == pytest.approx(7 / 3)
    loss.backward()
    assert log_p.grad is not None
    assert torch.allclose(log_p.grad, -valid.float() / 3)


def test_heads_learn_what_is_known() -> None:
    predicted = torch.tensor([0.5, 1.0, 3.0], requires_grad=True)
    losses = torch.tensor([0.7, math.nan, 2.0])
    loss = head_loss(predicted, losses, "plain")
    assert loss.item() == pytest.approx((0.04 + 1.0) / 2)
    loss.backward()
    assert predicted.grad is not None
    assert torch.allclose(predicted.grad, torch.tensor([-0.2, 0.0, 1.0]))
    logs = head_loss(predicted, losses, "log")
    assert logs.item() == pytest.approx(((0.5 - math.log(0.7)) ** 2 + (3 - math.log(2)) ** 2) / 2)
    assert head_loss(predicted, torch.full((3,), math.nan), "log").item() == 0.0
