"""Qwen3-VL and Qwen3.5, dense and with experts: stock `transformers` classes behind the `Backbone` interface.

A tick is two frames; a token is a merged cell of 32 x 32 pixels. Before each tick stands its time as text, so ids have
no axis of time, and a tick without a kept token vanishes with its text (`empty_ticks: drop`) or stays as text alone in
the final pass (`keep`). Qwen3-VL hands features of inner tower layers to the first layers of the language model
(DeepStack); they are `deepstack` [N, levels, D] of its tokens. In Qwen3.5 three layers of four are recurrent: attention
can be captured at every fourth alone. Knows no strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText

from framework.backbones import beside, equal_chunk_attention, interpolated_tower, loading, operations, placement
from framework.backbones.base import Prefix, end_tokens
from framework.backbones.capture import Making
from framework.backbones.devices import home
from framework.backbones.families import TAKEN
from framework.backbones.grid import NativeGrid, check_cell
from framework.backbones.patch_projection import as_product
from framework.backbones.positions import text_ids
from framework.backbones.stamped import CLOSING, MODES, stamped_ids, tick_starts
from framework.backbones.text import ChatText
from framework.backbones.weave import Piece, ticks_of, weave, with_empty
from framework.core.types import Selection, Tokens

WRAPPERS = ("frames", "outer")
EMPTY_TICKS = ("drop", "keep")
REMEMBERED = 2**14  # time stamps


class Qwen3VL(NativeGrid):
    """Implements the adapter of the Qwen3-VL and Qwen3.5 families.

    The arguments are the keys of `adapter` in conf/backbone/*.yaml, where each is explained. Raises ValueError that
    names the key for a wrong value, before any weight is read.
    """

    tick_time = "mean"
    probe_positions = "compact"  # a group does not know the times of the ticks outside of it

    def __init__(
        self,
        checkpoint: str,
        dtype: str,
        device: str,
        device_map: Any,
        attention: str,
        min_pixels: int,
        max_pixels: int,
        wrapper: str,
        answer_positions: str,
        probe_tokens: int,
        questions_per_pass: int,
        template: Mapping[str, Any],
        second_per_grid: float | None = None,
        total_pixels: int | None = None,
        empty_ticks: str = "drop",
        tensor_parallel: bool = False,
    ) -> None:
        counts = {"min_pixels": min_pixels, "probe_tokens": probe_tokens, "questions_per_pass": questions_per_pass}
        loading.check_common(
            dtype, attention, **counts, **({} if total_pixels is None else {"total_pixels": total_pixels})
        )
        loading.one_of("wrapper", wrapper, WRAPPERS)
        loading.one_of("answer_positions", answer_positions, MODES)
        loading.one_of("empty_ticks", empty_ticks, EMPTY_TICKS)
        if empty_ticks == "keep" and answer_positions != "original":
            raise ValueError(
                f"{loading.KEY}.empty_ticks=keep writes the text of all ticks, but answer_positions={answer_positions} "
                f"counts those that are left: set {loading.KEY}.empty_ticks=drop or answer_positions=original"
            )
        loading.at_least("max_pixels", max_pixels, min_pixels)
        loading.check_clock(second_per_grid, answer_positions)
        at = placement.resolve_device(device, device_map)
        opened = loading.open_checkpoint(checkpoint, *TAKEN["Qwen3VL"])
        self.tensor_parallel = placement.check(opened.config, device, device_map, tensor_parallel, None)
        vision = opened.config.vision_config
        check_cell(min_pixels, vision.patch_size * vision.spatial_merge_size)
        self.tokenizer = opened.tokenizer
        self.mean, self.std = beside.statistics(opened.place)
        self.opening, video, self.closing = (
            opened.token(name) for name in ("vision_start_token_id", "video_token_id", "vision_end_token_id")
        )
        whole = f"{self.opening}{video}{self.closing}"
        self.chat = ChatText(self.tokenizer, whole if wrapper == "frames" else video, template=template)
        self.model = loading.load_model(
            *(AutoModelForImageTextToText, opened.place, opened.local, dtype, at, device_map, attention),
            tensor_parallel=tensor_parallel,
        )
        self.decoder, self.tower = self.model.model.language_model, self.model.model.visual
        as_product(self.tower)
        if attention == "sdpa":  # its own loop over ticks is slow
            self.model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
        self.merge, side = vision.spatial_merge_size, vision.patch_size * vision.spatial_merge_size
        self.cell, self.patches_per_cell = (side, side), self.merge**2
        self.frames_per_tick = vision.temporal_patch_size
        self.making = Making(gated_queries=opened.config.model_type.startswith("qwen3_5"))
        self.end_ids = end_tokens(self.model, self.tokenizer)
        self.min_pixels, self.max_pixels, self.total_pixels = min_pixels, max_pixels, total_pixels
        self.second_per_grid, self.answer_positions = second_per_grid, answer_positions
        self.keeps_text = empty_ticks == "keep"
        self.probe_tokens, self.questions_per_pass = probe_tokens, questions_per_pass
        self.stamp = lru_cache(REMEMBERED)(self._stamp)

    def _stamp(self, seconds: float) -> Tensor:
        """The ids before the visual tokens of a tick, i64 [L]; called `stamp` and remembered."""
        return torch.tensor(self.chat.ids(f"<{seconds:.1f} seconds>{self.opening}"))

    def tick_text(self, seconds: Tensor) -> int:
        """Counts the text tokens around visual tokens that are shown at `seconds`, f64 [N], tick by tick."""
        return sum(len(self.stamp(second)) + CLOSING for second in seconds.unique_consecutive().tolist())

    def shown_seconds(self, selection: Selection) -> Tensor:
        """Returns the times of the ticks that the final pass reads the text of, f64 [n]."""
        every = selection.clock if self.keeps_text else None
        return super().shown_seconds(selection) if every is None else every

    def _tower(self, pixels: Tensor, keep: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Encodes the kept cells alone (see `interpolated_tower.py`)."""
        embeddings, inner = interpolated_tower.encode(
            self.tower, pixels.to(home(self.tower)), keep, self.mean, self.std
        )
        return embeddings, {"deepstack": inner} if inner.shape[1] else {}

    def prefix(self, tokens: Tokens, before: Tensor, positions: str, clock: Tensor | None = None) -> Prefix:
        """Returns the prefix: the start of the chat, then each tick that holds a token, in its brackets after its time.

        `original`: a tick's ids are those in the whole video of `clock`, in which the stamps of all ticks count; text
        follows the whole video. With `empty_ticks: keep` ticks without a token have their text there. `compact`, and
        where there is no clock: the ids of a video of the ticks that are there.
        """
        start = len(before)
        if len(tokens) == 0:
            return Prefix(self._embedded(before), text_ids(0, start), torch.empty(0, dtype=torch.long), start)
        ticks, parts = ticks_of(tokens)
        seconds = tokens.seconds.cpu()[[part.start for part in parts]]
        if self.keeps_text and positions == "original" and clock is not None:
            ticks, parts, seconds = torch.arange(len(clock)), with_empty(ticks, parts, len(clock)), clock.cpu()
        stamps = [self.stamp(second) for second in seconds.tolist()]
        close = torch.tensor(self.chat.ids(self.closing))
        pieces: list[Piece] = [before]
        for stamp, part in zip(stamps, parts, strict=True):
            pieces += (stamp, part, close)
        embeddings, columns = weave(pieces, tokens, self._embedded)
        extent, opening = int(tokens.extra["extent"][0]), torch.tensor([len(stamp) for stamp in stamps])
        if positions == "original" and clock is not None:
            every = torch.tensor([len(self.stamp(second)) for second in clock.tolist()])
            starts, after = tick_starts(start, every, extent)
            starts = starts[ticks]
        else:
            starts, after = tick_starts(start, opening, extent)
        counts = torch.tensor([part.stop - part.start for part in parts])
        ids = stamped_ids(starts, opening, counts, extent, tokens.row.cpu(), tokens.column.cpu())
        more = {"deepstack": tokens.extra["deepstack"].to(embeddings)} if "deepstack" in tokens.extra else {}
        return Prefix(embeddings, torch.cat([text_ids(0, start), ids], 1), columns, after, more)

    def arguments(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """Returns the features that the first layers add to the visual tokens, and where these are."""
        if not prefix.more:
            return {}
        at = torch.zeros(1, length, dtype=torch.bool)
        at[0, prefix.columns] = True
        inner = prefix.more["deepstack"]  # [N, levels, D]
        return {"visual_pos_masks": at.to(inner.device), "deepstack_visual_embeds": list(inner.unbind(1))}

    def encode_flops(self, tokens: int, per_tick: int) -> float:
        """Estimates the operations of the vision tower over `tokens` tokens; there are merge^2 patches per token.

        A patch meets as many others as it would were nothing dropped: those of its tick.
        """
        tower = self.tower
        rows = operations.weights(tower.patch_embed) + operations.weights(tower.blocks)
        inner = getattr(tower, "deepstack_merger_list", ())
        merging = operations.weights(tower.merger) + sum(map(operations.weights, inner))
        met = per_tick * self.patches_per_cell * len(tower.blocks)
        width = self.model.config.vision_config.hidden_size
        return operations.tower(tokens * self.patches_per_cell, rows, tokens, merging, met, width)
