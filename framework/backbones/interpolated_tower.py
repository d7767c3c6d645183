"""The vision tower of Qwen3-VL and Qwen3.5 on the kept cells only, in one call of the stock forward.

The stock forward works out from the grid how learned positions are resampled, which rotary positions patches have and
where ticks end, unless it is given these. Here they are made for one full tick and cut to the kept cells, so that
every kept patch has the position that it has in the whole picture. Attention stays within a tick. Nothing is patched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from framework.video.preprocess import normalise, patchify


def encode(
    tower: Any, pixels: Tensor, keep: Tensor, mean: Sequence[float], std: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Encodes the kept cells: u8 [Tg, F, 3, H, W] and bool [Tg, N / Tg] -> ([K, D], [K, levels, D]).

    The second part holds what inner layers of the tower hand to the language model (DeepStack); levels may be 0. It
    runs where the pixels are. Where nothing is kept, both are empty and the tower does not run.
    """
    config, device = tower.config, pixels.device
    patch, merge, frames = config.patch_size, config.spatial_merge_size, config.temporal_patch_size
    levels = len(getattr(config, "deepstack_visual_indexes", ()))
    if not bool(keep.any()):
        nothing = torch.empty(0, 1 + levels, config.out_hidden_size, dtype=tower.dtype, device=device)
        return nothing[:, 0], nothing[:, 1:]
    patches = patchify(pixels, patch, merge, keep.flatten().to(device))  # u8 [K * merge^2, 3 * F * patch^2]
    patches = normalise(patches.unflatten(1, (3, frames * patch, patch)), mean, std).flatten(1)
    height, width = (size // patch for size in pixels.shape[-2:])
    grid = torch.tensor([[len(pixels), height, width]], device=device)
    found = tower(patches.to(tower.dtype), grid_thw=grid, **tower_indices(tower, height, width, keep, device))
    inner = found.deepstack_features if levels else []
    tokens: Tensor = found.pooler_output
    return tokens, torch.stack(inner, 1) if levels else tokens.new_empty(len(tokens), 0, tokens.shape[1])


def tower_indices(tower: Any, height: int, width: int, keep: Tensor, device: torch.device) -> dict[str, Tensor]:
    """Computes what the stock forward needs to know of the K kept cells of ticks of `height` x `width` patches.

    `keep` is bool [Tg, N / Tg]. `interp_indices` and `interp_weights` [K * merge^2, 4]: the learned positions that a
    patch mixes; `position_ids` i64 [K * merge^2, 2]: its row and column; `cu_seqlens`: where ticks end, in patches.
    """
    merge, tick = tower.config.spatial_merge_size, torch.tensor([[1, height, width]])
    indices, weights = get_vision_interpolation_indices_and_weights(
        tick,
        num_grid_per_side=tower.num_grid_per_side,
        mode=tower.interpolation_mode,
        align_corners=tower.interpolation_align_corners,
        spatial_merge_size=merge,
    )
    cell = keep.cpu().nonzero()[:, 1]  # [K], within its tick

    def kept(of_tick: Tensor) -> Tensor:
        """What patches of a full tick have, for the patches of the kept cells; the patches of a cell are neighbours."""
        return of_tick.unflatten(0, (-1, merge**2))[cell].flatten(0, 1).to(device)

    counts = keep.cpu().sum(1)
    return {
        "interp_indices": kept(indices),
        "interp_weights": kept(weights),
        "position_ids": kept(get_vision_position_ids(tick, merge)),
        "cu_seqlens": pad((counts[counts > 0] * merge**2).cumsum(0), (1, 0)).to(device, torch.int32),
    }
