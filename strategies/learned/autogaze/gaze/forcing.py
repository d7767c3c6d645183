"""The gaze model on given picks: what each pick's probability was and which loss was predicted after it, in one pass.

With K heads, pick j of a frame is read from one state: the last vision token for j < K, else the last pick of the chunk
before. Its probability is that of head j mod K. The loss after it is loss head (j mod K) + 1 of the same state. For the
last pick of a chunk it is loss head 0 of the pick itself. Differentiable. Source: AutoGaze (arXiv 2603.12254).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.policy import Sampling, log_probabilities


@dataclass(frozen=True)
class Forced:
    """Holds numbers of given picks: of each slot f32 [B, T, n], 0 where it holds no pick, and of each frame."""

    log_probabilities: Tensor
    loss_predictions: Tensor  # of the frame after this pick
    loss_before: Tensor  # f32 [B, T]: of the frame before its first pick; the published weights never learnt it


def teacher_forced(gaze: Gaze, pixels: Tensor, picks: Picks, sampling: Sampling | None = None) -> Forced:
    """Computes probabilities and predicted losses of picks on normalised frames f32 [B, T, 3, S, S].

    `sampling` is the one that they were drawn with. Raises ValueError where picks and pixels differ in videos or
    frames.
    """
    ids, valid, ahead = picks.ids, picks.valid, gaze.config.heads_ahead
    vision, _ = gaze.vision(pixels)
    batch, frames, seen = vision.shape[:3]
    if ids.shape[:2] != (batch, frames):
        raise ValueError(f"picks of {list(ids.shape[:2])} videos and frames for pixels of {[batch, frames]}")
    slots = ids.shape[2]
    states = _states(gaze, vision, gaze.embed(ids), valid)  # [B, T, P + n, D]
    chunks = -(-slots // ahead)
    sources = seen - 1 + ahead * torch.arange(chunks + 1, device=ids.device)  # the last one closes a full last chunk
    states = states[:, :, sources.clamp_max(seen + slots - 1)]  # [B, T, chunks + 1, D]
    losses = gaze.loss_predictions(states)  # [B, T, chunks + 1, K]
    after = torch.cat([losses[:, :, :-1, 1:], losses[:, :, 1:, :1]], 3).flatten(2)[:, :, :slots]
    logits = gaze.token_logits(states[:, :, :-1]).flatten(2, 3)[:, :, :slots]  # [B, T, n, V + 1]
    banned = torch.zeros_like(logits, dtype=torch.bool) if sampling is None else _banned(ids, gaze.vocabulary.eos)
    scores = log_probabilities(logits, banned, sampling, ids).gather(3, ids[..., None])[..., 0]
    return Forced(scores.where(valid, 0.0), after.where(valid, 0.0), losses[:, :, 0, 0])


def _states(gaze: Gaze, vision: Tensor, picks: Tensor, valid: Tensor) -> Tensor:
    """Final states [B, T, P + n, D] of all frames, each [vision tokens P][picks n]; garbage where not `valid`.

    Slots without a pick go last, so that no other slot reads them nor are they counted: a causal pass needs no mask.
    """
    sequence = torch.cat([vision, picks], 2)
    real = pad(valid, (vision.shape[2], 0), value=True).flatten(1)
    order = (~real).long().argsort(dim=1, stable=True)[..., None].expand(-1, -1, vision.shape[3])
    packed = gaze.decoder(inputs_embeds=sequence.flatten(1, 2).gather(1, order), use_cache=False).last_hidden_state
    return torch.zeros_like(packed).scatter(1, order, packed).view_as(sequence)


def _banned(ids: Tensor, eos: int) -> Tensor:
    """Bool [B, T, n, V + 1]: what could not be picked, being picked earlier in the frame; and eos."""
    picked = torch.zeros(*ids.shape, eos + 1, dtype=torch.int16, device=ids.device).scatter(3, ids[..., None], 1)
    banned = picked.cumsum(2, dtype=torch.int16) > picked
    banned[..., eos] = True
    return banned
