"""Several questions behind one video, in one sequence: a question sees the video and itself, never its neighbours.

The result for a question is the same as if it stood alone. Where the end of the film is told, it is told before the
video, and positions follow the "max_id" convention: text goes on after the last tick of the film. Else they follow the
"grid" convention: text goes on at start of the video + cells per side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from framework.lab.training.questions import TrainingQuestion
from framework.lab.world import GRID

START = ("<|im_start|>", "user")
VISION_START = "<|vision_start|>"
DIGITS = 5  # of the time of a film's last tick, in seconds; a tick lasts one
AFTER = "<|vision_end|>"
TIME_STEP = 2  # tokens per second x seconds per tick: how far apart in time-position neighbouring ticks are
SHARED, PADDING = 0, -1  # blocks; questions are 1, 2, ...


@dataclass(frozen=True)
class Packed:
    """Holds a batch of B sequences of length S with Q questions in all. Rows are (batch, place) pairs, i64 [., 2]."""

    ids: torch.Tensor  # i64 [B, S]; the places of visual tokens hold the id of <|video_pad|>
    positions: torch.Tensor  # i64 [3, B, S] time, row, column
    full: torch.Tensor  # bool [B, 1, S, S]: may row attend column
    sliding: torch.Tensor  # the same inside the sliding window
    answer_rows: torch.Tensor  # [Q, 2]
    targets: torch.Tensor  # f32 [Q, V] over the vocabulary
    end_rows: torch.Tensor  # [Q, 2]: the answer itself, after which the turn ends
    word_rows: torch.Tensor  # [W, 2]
    word_ids: torch.Tensor  # i64 [W]
    letter_rows: torch.Tensor  # [O, 2]
    letter_indices: torch.Tensor  # i64 [O]
    fits: torch.Tensor  # bool [O]: whether the option is (part of) the answer
    thirds: torch.Tensor  # i64 [B, K]: the third of its film in which a visual token is; -1 where no length is told
    video_start: int  # place of the first visual token

    def to(self, device: torch.device) -> Packed:
        """Returns the same batch on another device."""
        tensors = [field.name for field in fields(self) if field.name != "video_start"]
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def before(end: int | None) -> tuple[str, ...]:
    """Lists the words before a video, with the seconds at which its film ends where they are told."""
    told = () if end is None else (*f"{end:0{DIGITS}d}", "seconds")
    return (*START, *told, VISION_START)


def pack(
    questions: Sequence[Sequence[TrainingQuestion]],
    tokens: np.ndarray,
    times: np.ndarray,
    vocabulary: Mapping[str, int],
    window: int,
    sequential: bool = False,
    grid: int = GRID,
    lengths: np.ndarray | None = None,
) -> Packed:
    """Packs the questions of B clips.

    `tokens` i64 [B, K] are the numbers of the kept visual tokens (tick * cells + cell). `times` i64 [B, ticks] are the
    times of the ticks, in ticks of their video. `window` is that of the sliding layers. With `sequential`, visual
    tokens are numbered one after another on all three axes, like text, whenever and wherever they are. `grid` is the
    number of cells per side. `lengths` i64 [B] are those of the films, in ticks, where they are told.
    """
    batch, kept = tokens.shape
    heads = [before(None) if lengths is None else before(int(lengths[b]) - 1) for b in range(batch)]
    video = len(heads[0])
    text = video + kept + 1  # where the first question starts
    longest = max(sum(len(q.ids) for q in row) for row in questions)
    length = text + longest
    ids = np.zeros((batch, length), np.int64)
    block = np.full((batch, length), PADDING)
    logical = np.tile(np.arange(length), (batch, 1))  # place in the sequence if the question stood alone
    positions = np.zeros((3, batch, length), np.int64)
    ids[:, :video] = [[vocabulary[word] for word in head] for head in heads]
    ids[:, video : text - 1] = vocabulary["<|video_pad|>"]
    ids[:, text - 1] = vocabulary[AFTER]
    block[:, :text] = SHARED
    positions[:, :, :video] = np.arange(video)
    ticks, cells = np.divmod(tokens, grid**2)
    positions[0, :, video : text - 1] = video + TIME_STEP * np.take_along_axis(times, ticks, axis=1)
    positions[1, :, video : text - 1] = video + cells // grid
    positions[2, :, video : text - 1] = video + cells % grid
    after = np.full(batch, video + grid)  # position of AFTER
    thirds = np.full((batch, kept), -1)
    if lengths is not None:
        after = video + np.maximum(TIME_STEP * (lengths - 1), grid - 1) + 1
        thirds = np.take_along_axis(times, ticks, axis=1) * 3 // lengths[:, None]
    if sequential:
        positions[:, :, video : text - 1] = np.arange(video, text - 1)
        after = np.full(batch, text - 1)
        thirds[:] = -1
    positions[:, :, text - 1] = after
    answers, ends, targets, words, letters = [], [], [], [], []
    for b, row in enumerate(questions):
        start = text
        for number, question in enumerate(row):
            span = slice(start, start + len(question.ids))
            ids[b, span] = question.ids
            block[b, span] = number + 1
            logical[b, span] = text + np.arange(len(question.ids))
            positions[:, b, span] = after[b] + 1 + np.arange(len(question.ids))
            answers.append((b, start + question.answer_row))
            ends.append((b, start + question.answer_row + 1))
            targets.append(question.target)
            words += [(b, start + place, word) for place, word in question.words]
            letters += [(b, start + place, letter, fits) for place, letter, fits in question.letters]
            start = span.stop
    causal = np.tril(np.ones((length, length), bool))
    full = causal & ((block[:, None, :] == SHARED) | (block[:, :, None] == block[:, None, :]))
    sliding = full & (logical[:, :, None] - logical[:, None, :] < window)
    dense = np.zeros((len(targets), len(vocabulary)), np.float32)
    for q, target in enumerate(targets):
        dense[q, list(target)] = list(target.values())
    word_table = torch.tensor(words, dtype=torch.long).reshape(-1, 3)
    letter_table = torch.tensor(letters, dtype=torch.long).reshape(-1, 4)
    return Packed(
        ids=torch.from_numpy(ids),
        positions=torch.from_numpy(positions),
        full=torch.from_numpy(full)[:, None],
        sliding=torch.from_numpy(sliding)[:, None],
        answer_rows=torch.tensor(answers),
        targets=torch.from_numpy(dense),
        end_rows=torch.tensor(ends),
        word_rows=word_table[:, :2],
        word_ids=word_table[:, 2],
        letter_rows=letter_table[:, :2],
        letter_indices=letter_table[:, 2],
        fits=letter_table[:, 3].bool(),
        thirds=torch.from_numpy(thirds),
        video_start=video,
    )
