"""How training runs the lab model: pixels to visual tokens, packed questions to hidden states.

Everything goes through the public modules of the stock class.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.lab.model import IMAGE_MEAN, IMAGE_STD, MERGE, PATCH
from framework.lab.training.packing import Packed
from framework.lab.world import COLOURS, FRAMES_PER_TICK, SHAPES
from framework.video.preprocess import normalise, patchify


def patches(pixels: torch.Tensor) -> torch.Tensor:
    """Turns pixels u8 [B, frames, height, width, 3] into rows for the vision tower: f32 [P, 3 * 2 * 14 * 14]."""
    ticks = pixels.unflatten(1, (-1, FRAMES_PER_TICK)).flatten(0, 1)  # [B * ticks, F, height, width, 3]
    return patchify(normalise(ticks.movedim(-1, 2), IMAGE_MEAN, IMAGE_STD), PATCH, MERGE)


def encode(model: Qwen2_5_VLForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """Encodes B clips to visual tokens: f32 [B, ticks * cells, D]."""
    batch, frames, height, width = pixels.shape[:4]
    grid = torch.tensor([[frames // FRAMES_PER_TICK, height // PATCH, width // PATCH]] * batch, device=pixels.device)
    tokens = model.model.visual(patches(pixels), grid_thw=grid).pooler_output
    return tokens.reshape(batch, -1, tokens.shape[-1])


def oracle_tokens(rows: torch.Tensor, objects: torch.Tensor) -> torch.Tensor:
    """Returns what the vision phase aims at: the sum of an object's word rows, f32 [..., D].

    The sum is zero where nothing is. `rows` f32 [words, D] are those of shapes, then colours, then sizes. `objects` i64
    [..., 3] are negative where empty.
    """
    there = (objects[..., :1] >= 0).to(rows.dtype)
    shape, colour, size = objects.clamp_min(0).unbind(-1)
    return there * (rows[shape] + rows[len(SHAPES) + colour] + rows[len(SHAPES) + len(COLOURS) + size])


def read(
    model: Qwen2_5_VLForConditionalGeneration, packed: Packed, visual: torch.Tensor
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Runs the language model on a packed batch.

    Returns the final hidden states f32 [B, S, D], and those of every layer (0 is the input of the model).
    """
    embedding: nn.Module = model.get_input_embeddings()
    text = embedding(packed.ids)
    start = packed.video_start
    stop = start + visual.shape[1]
    output = model.model.language_model(
        inputs_embeds=torch.cat([text[:, :start], visual, text[:, stop:]], dim=1),
        attention_mask={"full_attention": packed.full, "sliding_attention": packed.sliding},
        position_ids=packed.positions,
        use_cache=False,
        output_hidden_states=True,
    )
    return output.last_hidden_state, output.hidden_states


def at(hidden: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Picks the hidden states at (batch, place) rows: f32 [R, D]."""
    return hidden[rows[:, 0], rows[:, 1]]
