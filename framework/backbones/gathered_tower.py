"""Visual tokens dropped before a Qwen2.5-VL vision tower: a shorter sequence through the stock tower, no zeros.

The stock forward accepts the index tensors that it would otherwise make from a full grid: the patches' positions, the
order in which windows lie next to each other, where windows and ticks end. Here they are made from the kept cells, so
no model class is patched and nothing of the tower is written again. A kept patch keeps its row and column and the
window it belongs to; a window or a tick without kept cells does not exist. Keeping all is the dense forward, bit by
bit. All of this is worked out on the CPU, before the pass. Knows no strategy, no tokenizer and no language model.

Source: Qwen2.5-VL (arXiv 2502.13923), section 2.1.1: windows of 112 pixels, four layers of full attention, 2D rotary
positions. A token is a cell of merge x merge patches over the frames of one tick; all of it is kept, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from framework.backbones import equal_chunk_attention
from framework.backbones.chunks import plan
from framework.backbones.devices import home
from framework.video.preprocess import normalise, patchify


def encode(tower: Any, pixels: Tensor, keep: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Encodes the kept cells: u8 [Tg, F, 3, H, W] and bool [N] -> [K, D].

    The N cells, and the K kept ones, go tick by tick and row by row. `tower` is a stock
    `Qwen2_5_VisionTransformerPretrainedModel`. Only kept cells are cut out, normalised and sent through it. Where
    nothing is kept, the result is [0, D] and the tower does not run.
    """
    config, device = tower.config, home(tower)
    patch, merge, frames = config.patch_size, config.spatial_merge_size, config.temporal_patch_size
    ticks, (height, width) = len(pixels), (size // patch for size in pixels.shape[-2:])
    keep = keep.cpu()  # where it is, so that nothing waits for the device
    if not bool(keep.any()):
        return torch.empty(0, config.out_hidden_size, dtype=tower.dtype, device=device)
    patches = patchify(pixels, patch, merge, keep).to(device)  # u8 [K * merge^2, 3 * F * patch^2]
    patches = normalise(patches.unflatten(1, (3, frames * patch, patch)), mean, std).flatten(1)
    tick, row, column = keep.view(ticks, height // merge, width // merge).nonzero().unbind(1)
    indices = tower_indices(tick, row, column, merge, config.window_size // merge // patch)
    ends = {name: index for name, index in indices.items() if name.startswith("cu_")}
    more: dict[str, Any] = {}
    if equal_chunk_attention.plans_serve(tower):  # number of chunks -> their plan: ticks, or windows
        more = {"chunks": {len(end) - 1: plan(end, device) for end in ends.values()}}
    longest = {name.replace("cu_", "max_").rstrip("s"): int(end.diff().max()) for name, end in ends.items()}
    on_device = {name: index.to(device, non_blocking=True) for name, index in indices.items()}
    grid = torch.tensor([[ticks, height, width]])  # all that it says is in the indices
    tokens: Tensor = tower(patches.to(tower.dtype), grid_thw=grid, **on_device, **longest, **more).pooler_output
    return tokens


def tower_indices(tick: Tensor, row: Tensor, column: Tensor, merge: int, window: int) -> dict[str, Tensor]:
    """Computes what the stock forward needs to know of K cells.

    `tick`, `row` and `column` are i64 [K] each, ordered by tick, then row, then column. `window`: cells along a side.
    `position_ids` i64 [K * merge^2, 2]: row and column of each patch; `cu_seqlens`: where ticks end, in patches;
    `window_index` i64 [K]: the cells window by window; `cu_window_seqlens`: where windows end.
    """
    inner = torch.cartesian_prod(*2 * [torch.arange(merge, device=tick.device)])  # [merge^2, 2], reading order
    cells = torch.stack([row, column], dim=1) * merge  # [K, 2]
    across = row.new_tensor([tick.max(), row.max(), column.max()]) // row.new_tensor([1, window, window]) + 1
    of = (tick * across[1] + row // window) * across[2] + column // window  # [K], windows numbered in reading order
    order = of.argsort(stable=True)
    return {
        "position_ids": (cells[:, None] + inner).flatten(0, 1),
        "cu_seqlens": _ends(tick, merge**2),
        "window_index": order,
        "cu_window_seqlens": _ends(of[order], merge**2),
    }


def _ends(labels: Tensor, patches: int) -> Tensor:
    """0, then where each run of equal labels ends, in patches: i32 [runs + 1]."""
    counts = labels.unique_consecutive(return_counts=True)[1] * patches
    return pad(counts.cumsum(0), (1, 0)).to(torch.int32)
