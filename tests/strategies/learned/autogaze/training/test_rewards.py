"""Credit of picks by hand for two frames, and the gradient of the policy loss against an independent formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from strategies.learned.autogaze.training.rewards import advantages, credit, policy_loss


def test_two_frames_by_hand() -> None:
    rewards = torch.tensor([[[-0.4, -0.9], [-0.6, -0.5]]])  # one clip, two rollouts, two frames
    gained = advantages(rewards)
    assert torch.allclose(gained, torch.tensor([[[0.1, -0.2], [-0.1, 0.2]]]))
    # picks a0 a1 in frame 0 and b0 b1 b2 in frame 1. Frame 0 ends with a1, frame 1 with b2.
    frames, counts = torch.tensor([[0, 1], [0, 1]]), torch.tensor([[2, 3], [2, 3]])
    paid = credit(gained[0], frames, counts, 3, 0.5)
    expected = [
        [0.1 * 0.5 + -0.2 * 0.5**4, 0.1 + -0.2 * 0.5**3, 0.0],
        [-0.2 * 0.5**2, -0.2 * 0.5, -0.2],
    ]
    assert torch.allclose(paid[0], torch.tensor(expected)) and torch.allclose(paid[1], -torch.tensor(expected))
    # the loss: e.g. all log p = 0: minus the credits of both rollouts, over two
    assert policy_loss(torch.zeros(2, 2, 3), paid).item() == pytest.approx(0.0, abs=1e-6)
    assert policy_loss(torch.zeros(1, 2, 3), paid[:1]).item() == pytest.approx(-paid[0].sum().item())


def test_a_frame_that_was_not_reconstructed_pays_through_later_ones_only() -> None:
    paid = credit(torch.tensor([[1.0]]), torch.tensor([[1]]), torch.tensor([[1, 1, 2]]), 2, 0.9)
    assert torch.allclose(paid[0], torch.tensor([[0.9, 0.0], [1.0, 0.0], [0.0, 0.0]]))


@given(st.lists(st.lists(st.integers(0, 4), min_size=5, max_size=5), min_size=1, max_size=3), st.integers(0, 99))
def test_against_a_loop(counts: list[list[int]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    frames = np.stack([generator.choice(5, 2, replace=False) for _ in counts])
    gained = generator.normal(size=(len(counts), 2))
    paid = credit(torch.tensor(gained), torch.tensor(frames), torch.tensor(counts), 4, 0.995)
    for r, row in enumerate(counts):
        picks = [(t, k) for t in range(5) for k in range(row[t])]
        expected = np.zeros((5, 4))
        for nth, (t, k) in enumerate(picks):
            for tau, gain in zip(frames[r], gained[r], strict=True):
                if tau >= t:
                    between = sum(1 for later in picks[nth + 1 :] if later[0] <= tau)
                    expected[t, k] += 0.995**between * gain
        assert np.allclose(paid[r].numpy(), expected)


def test_the_gradient_is_minus_credit_times_that_of_the_log_probability() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 2, 4, 7, dtype=torch.float64, requires_grad=True)
    picked, paid = torch.randint(0, 7, (3, 2, 4)), torch.randn(3, 2, 4, dtype=torch.float64)
    log_p = logits.log_softmax(-1).gather(-1, picked[..., None])[..., 0]
    (got,) = torch.autograd.grad(policy_loss(log_p, paid), logits)
    one_hot = torch.nn.functional.one_hot(picked, 7)
    expected = -paid[..., None] * (one_hot - logits.detach().softmax(-1)) / 3  # d log softmax by hand
    assert torch.allclose(got, expected)


def test_too_many_picks_for_the_slots() -> None:
    with pytest.raises(ValueError, match="counts go up to 5, more than the 4 slots"):
        credit(torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.long), torch.tensor([[5, 1]]), 4, 0.9)
