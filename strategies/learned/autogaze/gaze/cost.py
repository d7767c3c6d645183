"""Operations of a gaze model, counted from its sizes: two for each multiplication with an addition. Runs nothing."""

from __future__ import annotations

from math import ceil

from strategies.learned.autogaze.gaze.model import GazeConfig


def flops(config: GazeConfig, frames: int, picks: int) -> float:
    """Returns the operations of one clip with `picks` picks in every frame."""
    width, seen = config.width, config.vision_tokens
    kernel = config.stem_blocks * config.stem_kernel**3 * width**2
    stem = frames * seen * (3 * config.patch**2 * width + kernel + width**2)
    slots = frames * (seen + picks)
    attention = slots * (slots + 1) * width  # causal: half of two products
    layer = slots * (4 * width**2 + 3 * width * config.ffn) + attention
    heads = frames * ceil(picks / config.heads_ahead) * width * config.heads_ahead * (config.vocabulary.size + 2)
    return 2.0 * (stem + config.layers * layer + heads)
