"""The reinforcement half of gaze training: advantages within a group of rollouts, credit per pick, the policy loss.

Picks of a clip are counted through, frame after frame. A pick is paid for every reconstructed frame that it could help,
its own and later ones, discounted by the picks that lie between it and the end of that frame:

    A_g,tau = r_g,tau - mean over g of r_g,tau,     r = -reconstruction loss of frame tau, no division by a deviation
    credit of pick k in frame t = sum over tau >= t of discount^(picks after k up to the end of tau) * A_tau
    loss = -sum over picks of exp(log p - stopped log p) * credit, mean over rollouts

Source: AutoGaze (arXiv 2603.12254), its simplified on-policy GRPO.
"""

from __future__ import annotations

import torch
from torch import Tensor


def advantages(rewards: Tensor) -> Tensor:
    """Returns the advantages: rewards f32 [P, G, F] less the mean over a clip's rollouts.

    Rewards are those of G rollouts of each of P clips.
    """
    return rewards - rewards.mean(1, keepdim=True)


def credit(advantage: Tensor, frames: Tensor, counts: Tensor, width: int, discount: float) -> Tensor:
    """Returns what each pick is paid, f32 [R, T, width]; it is 0 in the slots beyond a frame's count.

    `advantage` f32 [R, F] belongs to the reconstructed `frames` i64 [R, F]. `counts` i64 [R, T] are the picks per
    frame, each at most `width`. Raises ValueError where one is more.
    """
    if int(counts.max()) > width:
        raise ValueError(f"counts go up to {int(counts.max())}, more than the {width} slots of a frame")
    ends = counts.cumsum(1)
    slot = torch.arange(width, device=counts.device)
    place = (ends - counts)[..., None] + slot  # [R, T, width], among the picks of the clip
    after = ends.gather(1, frames)[:, :, None, None] - 1 - place[:, None]  # [R, F, T, width]; < 0: picked later
    share = discount ** after.clamp_min(0) * (after >= 0)
    return (share * advantage[:, :, None, None]).sum(1) * (slot < counts[..., None])


def policy_loss(log_probabilities: Tensor, credits: Tensor) -> Tensor:
    """Returns the policy loss, a number: the sum over picks, mean over rollouts.

    Both inputs are f32 [R, T, n]. Slots of credit 0 add nothing.
    """
    ratio = (log_probabilities - log_probabilities.detach()).exp()
    return -(ratio * credits).sum() / len(credits)
