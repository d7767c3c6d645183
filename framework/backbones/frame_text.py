"""The prompt of a video that is read frame by frame: what stands around the tokens of each frame, and with which ids.

    start of the chat, label 0, frame 0, closing, between, label 1, frame 1, closing, ...

A frame is rows of cells; a row of its own may follow each of them. What has no kept token left is not there: a frame
goes with its text, a row of cells with the row after it. Knows a tokenizer and sizes, no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate

import torch
from torch import Tensor

from framework.backbones.text import ChatText
from framework.backbones.weave import Piece, ticks_of
from framework.core.types import Tokens

Placed = tuple[Piece, Tensor]  # a piece of the prompt, and its ids in the prompt of all frames


class FrameText:
    """Writes the text around frames of `grid` (rows, columns) cells.

    `label` gives the text right before the tokens of a frame, numbered from 0. `between` stands between two frames,
    `closing` after each. `row_ends`: a row of its own follows each row of cells.
    """

    def __init__(
        self,
        chat: ChatText,
        label: Callable[[int], str],
        between: str,
        closing: str,
        grid: tuple[int, int],
        row_ends: bool,
    ) -> None:
        self.chat, self.label, self.between, self.closing = chat, label, between, closing
        self.rows, self.stride = grid[0], grid[1] + row_ends  # places that a row takes
        self.row_ends = row_ends
        self.head = chat.before(True, 0.0)
        self.closed = torch.tensor(chat.inside(closing), dtype=torch.long)
        self.opening = lru_cache(None)(self._opening)

    @property
    def span(self) -> int:
        """Returns the places that a whole frame takes, without the text before it."""
        return self.rows * self.stride + len(self.closed)

    def _opening(self, frame: int) -> Tensor:
        """The text ids between the end of a frame and the tokens of this one, i64 [n]; remembered as `opening`."""
        ids = self.chat.inside(self.closing + self.between + self.label(frame))
        return torch.tensor(ids[len(self.closed) :], dtype=torch.long)

    def beginning(self, frame: int) -> Tensor:
        """Returns the text ids up to the tokens of `frame`, the first that is there.

        The first of the video is read together with what stands before it, others as after frames that are gone.
        """
        if frame == 0:
            return self.chat.before(True, 0.0, self.label(0))
        return torch.cat([self.head, self.opening(frame)])

    def starts(self, frames: int) -> list[int]:
        """Returns where the tokens of each of `frames` >= 1 frames begin in the prompt of them all, then its length."""
        steps = [self.span + len(self.opening(frame)) for frame in range(1, frames)]
        first = [*accumulate(steps, initial=len(self.beginning(0)))]
        return [*first, first[-1] + self.span]

    def count(self, frames: int, tokens: int) -> int:
        """Counts what stands between and after `tokens` tokens of `frames` >= 1 frames, rows of their own included."""
        around = self.starts(frames)[-1] - len(self.beginning(0)) - frames * self.rows * self.stride
        return around + (min(frames * self.rows, tokens) if self.row_ends else 0)

    def pieces(
        self, tokens: Tokens, before: Tensor, frames: list[int], starts: list[int], row_end: Tensor | None
    ) -> Iterator[Placed]:
        """Yields all up to the end of the last frame. `before` are the text ids up to the tokens of the first.

        `frames` says which of `starts` each frame with a token is; `row_end` is the row [1, D] after rows of cells.
        """
        at = (tokens.row * self.stride + tokens.column).cpu()
        for place, (frame, part) in enumerate(zip(frames, ticks_of(tokens)[1], strict=True)):
            start = starts[frame]
            if place:
                opening = self.opening(frame)
                yield opening, _until(start, len(opening))
            else:
                yield before, torch.cat([torch.arange(len(self.head)), _until(start, len(before) - len(self.head))])
            for cells in [part] if row_end is None else _by_row(tokens.row, part):
                yield cells, start + at[cells]
                if row_end is not None:
                    yield row_end, _until(start + (int(tokens.row[cells.start]) + 1) * self.stride, 1)
            yield self.closed, _until(start + self.span, len(self.closed))


def _until(end: int, length: int) -> Tensor:
    return torch.arange(end - length, end)


def _by_row(row: Tensor, part: slice) -> Iterator[slice]:
    """The tokens of `part` row by row."""
    start = part.start
    for count in row[part].unique_consecutive(return_counts=True)[1].tolist():
        yield slice(start, start + count)
        start += count
