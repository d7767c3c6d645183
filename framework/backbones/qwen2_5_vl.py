"""Qwen2.5-VL (3B, 7B, 32B, 72B and the lab model): stock `transformers` classes behind the `Backbone` interface.

A tick is two frames; a token is a merged cell of 28 x 28 pixels; ids have three axes (time, row, column). The vision
tower attends within one tick only, so encoding in pieces is exact; tokens are dropped before it. Knows no strategy.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.backbones import beside, equal_chunk_attention, gathered_tower, loading, operations, placement
from framework.backbones.base import Prefix, end_tokens
from framework.backbones.devices import home
from framework.backbones.families import TAKEN
from framework.backbones.grid import NativeGrid, check_cell
from framework.backbones.overlay import WeightOverlay
from framework.backbones.patch_projection import as_product
from framework.backbones.positions import (
    ANSWER_MODES,
    TEXT_OFFSETS,
    TIME_MODES,
    sequential_ids,
    text_ids,
    text_start,
    time_ids,
    visual_ids,
)
from framework.backbones.text import ChatText
from framework.backbones.told import check_text
from framework.core.types import Tokens

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Qwen25VL(NativeGrid):
    """Implements the adapter of the Qwen2.5-VL family.

    The arguments are the keys of `adapter` in conf/backbone/*.yaml, where each is explained. Raises ValueError that
    names the key for a wrong value, before any weight is read.
    """

    def __init__(
        self,
        checkpoint: str,
        overlay: WeightOverlay | None,
        dtype: str,
        device: str,
        device_map: Any,
        attention: str,
        min_pixels: int,
        max_pixels: int,
        text_offset: str,
        probe_positions: str,
        answer_positions: str,
        compact_step: int,
        probe_tokens: int,
        questions_per_pass: int,
        second_per_grid: float | None = None,
        total_pixels: int | None = None,
        told: str = "",
        tensor_parallel: bool = False,
    ) -> None:
        counts = {"min_pixels": min_pixels, "compact_step": compact_step, "probe_tokens": probe_tokens}
        if total_pixels is not None:
            counts["total_pixels"] = total_pixels
        loading.check_common(dtype, attention, **counts, questions_per_pass=questions_per_pass)
        loading.one_of("text_offset", text_offset, TEXT_OFFSETS)
        loading.one_of("probe_positions", probe_positions, TIME_MODES)
        loading.one_of("answer_positions", answer_positions, ANSWER_MODES)
        loading.at_least("max_pixels", max_pixels, min_pixels)
        loading.check_clock(second_per_grid, answer_positions)
        check_text("told", told)
        at = placement.resolve_device(device, device_map)
        opened = loading.open_checkpoint(checkpoint, *TAKEN["Qwen25VL"])
        self.tensor_parallel = placement.check(opened.config, device, device_map, tensor_parallel, overlay)
        vision = opened.config.vision_config
        check_cell(min_pixels, vision.patch_size * vision.spatial_merge_size)
        self.tokenizer = opened.tokenizer
        self.chat = ChatText(self.tokenizer, opened.token("video_token_id"), told)
        self.model = loading.load_under(
            *(overlay, Qwen2_5_VLForConditionalGeneration, opened, dtype, at, device_map, attention, tensor_parallel)
        )
        self.decoder = self.model.model.language_model
        self.tower = self.model.model.visual
        as_product(self.tower)
        if attention == "sdpa":  # its own loop over windows is slow
            self.model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
        self.patch, self.merge = vision.patch_size, vision.spatial_merge_size
        self.cell, self.patches_per_cell = 2 * (self.patch * self.merge,), self.merge**2
        self.frames_per_tick = vision.temporal_patch_size
        self.tokens_per_second = vision.tokens_per_second
        pixels = beside.preprocessor(opened.place)
        self.mean, self.std = pixels.get("image_mean", CLIP_MEAN), pixels.get("image_std", CLIP_STD)
        self.end_ids = end_tokens(self.model, self.tokenizer)
        self.min_pixels, self.max_pixels, self.total_pixels = min_pixels, max_pixels, total_pixels
        self.second_per_grid = second_per_grid
        self.text_offset, self.compact_step = text_offset, compact_step
        self.probe_positions, self.answer_positions = probe_positions, answer_positions
        self.probe_tokens, self.questions_per_pass = probe_tokens, questions_per_pass

    def _tower(self, pixels: Tensor, keep: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Encodes the kept cells alone (see `gathered_tower.py`)."""
        pixels = pixels.to(home(self.tower), non_blocking=True)  # pinned ones, as they lie in memory
        return gathered_tower.encode(self.tower, pixels, keep.flatten(), self.mean, self.std), {}

    def prefix(self, tokens: Tokens, before: Tensor, positions: str, clock: Tensor | None = None) -> Prefix:
        """Returns the prefix: the start of the chat, then the visual tokens.

        Without visual tokens (N = 0) it has plain text ids.
        """
        text, start = self._embedded(before), len(before)
        ids = text_ids(0, start)
        if len(tokens) == 0:
            return Prefix(text, ids, torch.empty(0, dtype=torch.long), start)
        if positions == "sequential":
            visual, after = sequential_ids(start, len(tokens))
        else:
            visual, after = self._places(tokens, start, positions, clock)
        return Prefix(
            embeddings=torch.cat([text, tokens.embeddings.to(text)]),
            positions=torch.cat([ids, visual], dim=1),
            columns=torch.arange(start, start + len(tokens)),
            text_start=after,
        )

    def end_seconds(self, tokens: Tokens, positions: str, clock: Tensor | None) -> float:
        """Returns the time of the last tick, in seconds: of a compact group as if it were a short video."""
        if positions != "compact":
            return super().end_seconds(tokens, positions, clock)
        return (len(torch.unique(tokens.tick)) - 1) * self.compact_step / self.tokens_per_second

    def _places(self, tokens: Tokens, start: int, positions: str, clock: Tensor | None) -> tuple[Tensor, int]:
        """(ids i64 [3, N] by time, row and column, id of the text after them)."""
        tick, row, column, seconds = (t.cpu() for t in (tokens.tick, tokens.row, tokens.column, tokens.seconds))
        time = time_ids(positions, tick, seconds, self.tokens_per_second, self.compact_step)
        last = int(time.max())
        if positions == "original" and clock is not None:  # text follows the whole video, kept or not
            end = clock[-1:].cpu()
            last = int(time_ids(positions, end, end, self.tokens_per_second, self.compact_step))
        after = text_start(self.text_offset, start, int(tokens.extra["extent"][0]), last)
        return visual_ids(time, row, column, start), after

    def encode_flops(self, tokens: int, per_tick: int) -> float:
        """Estimates the operations of the vision tower over `tokens` tokens; there are merge^2 patches per token.

        Windowed blocks attend to a window, full blocks to a tick. A patch meets as many others as it would were nothing
        dropped.
        """
        vision, tower = self.model.config.vision_config, self.tower
        patches, tick = tokens * self.merge**2, per_tick * self.merge**2
        window = min(tick, (vision.window_size // self.patch) ** 2)
        full = len(vision.fullatt_block_indexes)
        met = full * tick + (len(tower.blocks) - full) * window
        rows = operations.weights(tower.patch_embed) + operations.weights(tower.blocks)
        merged = operations.weights(tower.merger)
        return operations.tower(patches, rows, tokens, merged, met, vision.hidden_size)
