"""The same picks by the plain loop, as a reference: `decoding` must equal it in contiguous mode, and be faster.

At every frame all embeddings so far are joined and fed again. At every step the cache of keys and values is copied. The
published code does the same, in effect. Masks are left to transformers. It shares only the policy with `decoding`.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor
from transformers import DynamicCache

from framework.backbones.language_pass import cache_argument
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.policy import choose


@torch.no_grad()
def naive_clip(
    gaze: Gaze, pixels: Tensor, control: Control, generator: torch.Generator | None = None, again: bool = True
) -> Picks:
    """Returns the picks of normalised clips f32 [B, T, 3, S, S]; without `again` the cache lasts from frame to frame.

    Raises ValueError unless rope_mode is contiguous.
    """
    if control.rope_mode != "contiguous":
        raise ValueError(f"the naive loop knows only gaze.rope_mode=contiguous, got {control.rope_mode}")
    vocabulary, vision = gaze.vocabulary, gaze.vision(pixels)[0]
    batch, frames = vision.shape[:2]
    counts = control.counts(vocabulary, batch, 0, frames).to(vision.device)
    thresholds = control.thresholds(batch, 0, frames)
    history, mask = vision[:, 0, :0], torch.ones(batch, 0, dtype=torch.bool, device=vision.device)
    cache, fed = DynamicCache(config=gaze.decoder.config), 0
    table = torch.full((batch, frames, int(counts.max())), vocabulary.eos, device=vision.device)
    for frame in range(frames):
        history = torch.cat([history, vision[:, frame]], 1)
        mask = torch.cat([mask, mask.new_ones(vision.shape[0], vision.shape[2])], 1)
        if again:
            cache, fed = DynamicCache(config=gaze.decoder.config), 0
        banned = torch.zeros(batch, vocabulary.size + 1, dtype=torch.bool, device=vision.device)
        banned[:, vocabulary.eos] = True
        open_rows, done = torch.ones(batch, dtype=torch.bool, device=vision.device), 0
        while bool(open_rows.any()):
            cache = deepcopy(cache)
            positions = (mask.cumsum(1) - 1)[:, fed:]
            states = gaze.decoder(
                inputs_embeds=history[:, fed:],
                attention_mask=mask.long(),
                position_ids=positions,
                use_cache=True,
                **{cache_argument(type(gaze.decoder).forward): cache},
            ).last_hidden_state
            fed = history.shape[1]
            length = min(gaze.config.heads_ahead, int(counts[:, frame].max()) - done)
            ids, _ = choose(gaze.token_logits(states[:, -1])[:, :length], banned, control.sampling, generator)
            losses = gaze.loss_predictions(states[:, -1])
            for slot in range(length):
                if thresholds is not None and (done or slot):
                    open_rows &= losses[:, slot] > thresholds[:, frame].to(losses)
                open_rows &= done + slot < counts[:, frame]
                ids[:, slot] = ids[:, slot].where(open_rows, vocabulary.eos)
            table[:, frame, done : done + length] = ids
            history = torch.cat([history, gaze.embed(ids)], 1)
            mask = torch.cat([mask, ids != vocabulary.eos], 1)
            done += length
            open_rows &= done < counts[:, frame]
    return Picks(table, table != vocabulary.eos)
