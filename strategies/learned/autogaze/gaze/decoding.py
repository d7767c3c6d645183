"""Picks frame after frame, on the decoder alone: transformers' own generation is not used.

Per frame, [the last chunk of the previous frame][vision tokens] are fed. Then K patches are picked from the last state
and fed back, until the budget or the stop rule ends the frame. The last chunk is fed with the next frame, for its own
frame asks nothing more of it. A slot that holds no pick is hidden from what comes later and takes no position. Source:
AutoGaze (arXiv 2603.12254), checked against the published code token for token.
"""

from __future__ import annotations

import torch
from torch import Tensor

from framework.backbones.language_pass import cache_argument
from strategies.learned.autogaze.gaze.cache import growing
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.forcing import teacher_forced
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.policy import Sampling, choose
from strategies.learned.autogaze.gaze.stem import State

__all__ = ["Control", "Picks", "Sampling", "Stream", "gaze_clip", "score_picks"]


class Stream:
    """Watches a batch of videos: `look` takes their next frames, as many at a time as one likes.

    Frame by frame or all at once gives the same picks. Memory grows with the frames seen. Raises ValueError where the
    official rope_mode needs more vision tokens a frame than the gaze has.
    """

    def __init__(self, gaze: Gaze, control: Control, generator: torch.Generator | None = None) -> None:
        if control.rope_mode == "official" and gaze.config.vision_tokens < gaze.config.heads_ahead:
            raise ValueError(
                f"gaze.rope_mode=official needs {gaze.config.heads_ahead} vision tokens a frame, this gaze has "
                f"{gaze.config.vision_tokens}: use contiguous"
            )
        self.gaze, self.control, self.generator = gaze, control, generator
        self.frames = 0  # seen so far
        self._cache = growing(gaze.config.layers)
        self._state: State | None = None
        self._visible: Tensor | None = None  # bool [B, slots in the cache]: which later slots may read
        self._pending: tuple[Tensor, Tensor] | None = None  # last chunk, not fed yet: ids and valid, [B, k]

    @torch.no_grad()
    def look(self, pixels: Tensor) -> Picks:
        """Returns the picks of the next frames, normalised f32 [B, t, 3, S, S], with their log-probabilities.

        Raises ValueError where the number of videos is not that of earlier calls.
        """
        batch, frames = pixels.shape[:2]
        if self._visible is not None and len(self._visible) != batch:
            raise ValueError(f"this stream watches {len(self._visible)} videos, got frames of {batch}")
        counts = self.control.counts(self.gaze.vocabulary, batch, self.frames, frames)
        thresholds = self.control.thresholds(batch, self.frames, frames)
        tokens, self._state = self.gaze.vision(pixels, self._state)
        counts = counts.to(tokens.device)
        if self._visible is None:
            self._visible = torch.zeros(batch, 0, dtype=torch.bool, device=tokens.device)
        seen = []
        for frame in range(frames):
            threshold = None if thresholds is None else thresholds[:, frame].to(tokens.device)
            seen.append(self._frame(tokens[:, frame], counts[:, frame], threshold))
        self.frames += frames
        slots = tuple(ids.shape[1] for ids, _, _ in seen)
        table = tokens.new_full((batch, frames, max(slots)), self.gaze.vocabulary.eos, dtype=torch.int64)
        scores = tokens.new_zeros(table.shape, dtype=torch.float32)
        valid = torch.zeros_like(table, dtype=torch.bool)
        for frame, parts in enumerate(seen):
            for whole, part in zip((table, valid, scores), parts, strict=True):
                whole[:, frame, : part.shape[1]] = part
        return Picks(table, valid, None, scores, slots)

    def _frame(self, vision: Tensor, budget: Tensor, threshold: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, valid and log-probabilities, [B, n], of a frame's picks from its vision tokens [B, P, D]."""
        vocabulary, ahead = self.gaze.vocabulary, self.gaze.config.heads_ahead
        official = self.control.rope_mode == "official"
        hidden, positions = self._prefill(vision)
        begin = self._visible.shape[1]  # type: ignore[union-attr]
        banned = torch.zeros(len(vision), vocabulary.size + 1, dtype=torch.bool, device=vision.device)
        banned[:, vocabulary.eos] = True
        finished = torch.zeros(len(vision), dtype=torch.bool, device=vision.device)
        limit, done = int(budget.max()), 0
        chunks: list[tuple[Tensor, Tensor, Tensor]] = []
        while True:
            length = min(ahead, limit - done)
            ids, scores = choose(
                self.gaze.token_logits(hidden)[:, :length], banned, self.control.sampling, self.generator
            )
            keep = (done + torch.arange(length, device=ids.device) < budget[:, None]) & ~finished[:, None]
            if threshold is not None:
                stop = self.gaze.loss_predictions(hidden)[:, :length] <= threshold[:, None]
                if not done:
                    stop[:, 0] = False  # at least one pick
                if not official:
                    stop = stop.cumsum(1) > 0
                keep &= ~stop
                finished = finished | stop.any(1)
            chunks.append((ids.where(keep, vocabulary.eos), keep, scores.where(keep, 0.0)))
            done += length
            finished = finished | (budget <= done)
            if done == limit or bool(finished.all()):
                break
            seen = torch.ones_like(keep) if official else keep
            where = positions[:, -length:] if official else self._next(keep)
            hidden = self._feed(self.gaze.embed(chunks[-1][0]), where, seen)
        self._pending = chunks[-1][:2]
        valid = torch.cat([keep for _, keep, _ in chunks], 1)
        self._visible[:, begin:] = valid[:, : done - length]  # type: ignore[index]
        return torch.cat([ids for ids, _, _ in chunks], 1), valid, torch.cat([scores for _, _, scores in chunks], 1)

    def _prefill(self, vision: Tensor) -> tuple[Tensor, Tensor]:
        """Feed what is pending and the vision tokens: the last state [B, D] and all positions [B, q]."""
        seen = torch.ones(vision.shape[:2], dtype=torch.bool, device=vision.device)
        if self._pending is not None:
            ids, valid = self._pending
            vision, seen = torch.cat([self.gaze.embed(ids), vision], 1), torch.cat([valid, seen], 1)
        positions = self._next(seen)
        return self._feed(vision, positions, seen), positions

    def _next(self, seen: Tensor) -> Tensor:
        """Positions i64 [B, q] of new slots, of which bool [B, q] count."""
        return self._visible.sum(1, keepdim=True) + seen.cumsum(1) - 1  # type: ignore[union-attr]

    def _feed(self, embeddings: Tensor, positions: Tensor, seen: Tensor) -> Tensor:
        """Run [B, q, D] through the decoder, after all that was fed: the last state [B, D]."""
        length = embeddings.shape[1]
        triangle = torch.ones(length, length, dtype=torch.bool, device=embeddings.device).tril()
        past = self._visible[:, None].expand(-1, length, -1)  # type: ignore[index]
        mask = torch.cat([past, triangle & seen[:, None]], 2)[:, None]  # [B, 1, q, slots]
        self._visible = torch.cat([self._visible, seen], 1)  # type: ignore[list-item]
        states = self.gaze.decoder(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            use_cache=True,
            **{cache_argument(type(self.gaze.decoder).forward): self._cache},
        )
        return states.last_hidden_state[:, -1]


def gaze_clip(gaze: Gaze, pixels: Tensor, control: Control, generator: torch.Generator | None = None) -> Picks:
    """Returns the picks of whole clips, normalised f32 [B, T, 3, S, S]."""
    return Stream(gaze, control, generator).look(pixels)


@torch.no_grad()
def score_picks(gaze: Gaze, pixels: Tensor, picks: Picks, sampling: Sampling | None = None) -> Picks:
    """Returns the same picks with log-probabilities and predicted losses, from one parallel pass as in training."""
    forced = teacher_forced(gaze, pixels, picks, sampling)
    return Picks(picks.ids, picks.valid, forced.loss_predictions, forced.log_probabilities, picks.slots)
