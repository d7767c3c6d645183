"""Rotary position ids of Qwen3-VL and Qwen3.5: every tick has its time written before it, and no axis of time.

    <0.2 seconds><|vision_start|> N visual tokens <|vision_end|><1.5 seconds><|vision_start|> ...

Text counts on by one. The visual tokens of a tick begin at p, the id after its opening bracket: their time is p, their
row p + r, their column p + c. The next text id is p + max(rows, columns). Pure functions; no model and no tokenizer.

Source: Qwen3-VL (arXiv 2511.21631), interleaved M-RoPE and text timestamps; transformers' `get_rope_index` is the
reference for the ids.
"""

from __future__ import annotations

import torch
from torch import Tensor

MODES = ("original", "compact")
CLOSING = 1  # text tokens after the visual tokens of a tick: its closing bracket


def tick_starts(start: int, opening: Tensor, extent: int) -> tuple[Tensor, int]:
    """Returns (i64 [T], the first id of each tick; the id after the last one).

    The ticks follow `start` text tokens. `opening` (i64 [T]) counts the text tokens before the visual tokens of each,
    and `extent` is max(rows, columns) of a tick's full grid.
    """
    ends = start + (opening + extent + CLOSING).cumsum(0)
    return torch.cat([torch.tensor([start]), ends[:-1]]), int(ends[-1])


def stamped_ids(starts: Tensor, opening: Tensor, counts: Tensor, extent: int, row: Tensor, column: Tensor) -> Tensor:
    """Returns ids i64 [3, S] of ticks with their text: opening, visual tokens, closing.

    `starts`, `opening` and `counts` (i64 [T], visual tokens of a tick, none or more) are those of the ticks that are
    there; `row` and `column` (i64 [N]) those of the visual tokens, tick by tick.
    """
    lengths = opening + counts + CLOSING
    of = torch.arange(len(lengths)).repeat_interleave(lengths)  # [S], the tick of each
    place = torch.arange(len(of)) - (lengths.cumsum(0) - lengths)[of]  # within its tick
    behind = place - opening[of]  # 0 and above from the first visual token on
    closing = behind >= counts[of]
    ids = starts[of] + torch.where(behind < 0, place, opening[of] + closing * (extent + behind - counts[of]))
    ids = ids.repeat(3, 1)
    visual = (behind >= 0) & ~closing
    ids[1, visual] += row
    ids[2, visual] += column
    return ids
