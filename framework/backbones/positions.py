"""Rotary position ids of Qwen2.5-VL: pure functions of where tokens lie, no model and no text.

A visual token has three ids: time, row, column. A text token has three equal ids. Ids are always computed here and
passed explicitly, because transformers' own differ between releases: some truncate the time step to whole seconds, so
that every tick sampled at 4 fps has the same time, and the text after a video moved from `max_id` to `grid`.
"""

from __future__ import annotations

import torch
from torch import Tensor

TIME_MODES = ("original", "compact")
ANSWER_MODES = (*TIME_MODES, "sequential")
TEXT_OFFSETS = ("grid", "max_id")
ROUNDING = 1e-6  # ids; a tick at 2.9999999 of 3 belongs to 3


def time_ids(mode: str, tick: Tensor, seconds: Tensor, tokens_per_second: float, compact_step: int) -> Tensor:
    """Returns time ids i64 [N], counted from the start of the video.

    `original`: floor(seconds * tokens_per_second), multiplied before it is truncated; `seconds` f64 [N] counts from the
    start of the file. `compact`: the rank of a tick (i64 [N]) among those present, times `compact_step`, as if the
    ticks made up a short video.
    """
    if mode == "original":
        return (seconds.double() * tokens_per_second + ROUNDING).floor().long()
    return torch.unique(tick, return_inverse=True)[1] * compact_step


def on_clock(tick: Tensor, clock: Tensor | None, second_per_grid: float) -> tuple[Tensor, Tensor | None]:
    """Returns (seconds f64 [N], times f64 [T] of all ticks) by a clock that knows no real times.

    `clock` holds the real ones, f64 [T]; None where they are not known.

    Tick i is shown at i x `second_per_grid` seconds. FlexSelect's published run has 2.0, whatever the frame rate.
    """
    every = None if clock is None else torch.arange(len(clock), dtype=torch.float64) * second_per_grid
    return tick.double() * second_per_grid, every


def visual_ids(time: Tensor, row: Tensor, column: Tensor, start: int) -> Tensor:
    """Returns ids i64 [3, N] of visual tokens that follow `start` text tokens."""
    return torch.stack([time, row, column]) + start


def sequential_ids(start: int, tokens: int) -> tuple[Tensor, int]:
    """Returns (ids i64 [3, N] of `tokens` visual tokens, id of the text after them), as if all were text.

    The visual tokens follow `start` text tokens, without time, row or column. The published QTSplus weights were
    trained like this.
    """
    return text_ids(start, tokens), start + tokens


def text_start(offset: str, start: int, extent: int, last_time: int) -> int:
    """Returns the first id of the text after a video whose ids begin at `start`.

    `grid` (transformers >= 5.3): the text begins `extent` = max(rows, columns) of the full frame's token grid later,
    whatever the duration. `max_id` (Qwen's checkpoints, transformers < 5.3): it begins one after the largest id.

    `last_time` is the last time id, counted from `start`. It is that of the whole video when tokens were selected from
    it, else that of the tokens present. FlexSelect keeps the ids of the full prompt, and so does AdaptToken's final
    pass. The grid counts in full, kept or not.

    Question and response count on from there, as in `generate`; under `max_id` that is the largest id so far plus one.
    """
    return start + (extent if offset == "grid" else max(last_time, extent - 1) + 1)


def text_ids(start: int, length: int) -> Tensor:
    """Returns ids i64 [3, L] of consecutive text tokens."""
    return torch.arange(start, start + length).expand(3, length)
