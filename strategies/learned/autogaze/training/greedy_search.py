"""Greedy search for the picks that let the frozen reconstructor rebuild a clip best: what a gaze learns to imitate.

Frame by frame, the patch that lowers the frame's loss most, given all picks before, is picked again and again. To try
every patch each time takes too long. So of every scale some patches are tried: those over which the rebuilt frame is
worst at present. Clips are searched side by side, their tries in one batch, and what earlier frames left in the
reconstructor is kept. Source: AutoGaze (arXiv 2603.12254), whose search is not published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor.canvas import enlarge, paint
from strategies.learned.autogaze.reconstructor.model import Past, Picked, Reconstructor


@dataclass(frozen=True)
class Found:
    """Holds the picks of one clip: the ids of each frame in order, the loss after each, and before the first."""

    ids: list[list[int]]
    losses: list[list[float]]
    before: list[float]


def check_shortlist(shortlist: Sequence[int], vocabulary: Vocabulary, most: int) -> None:
    """Checks that every scale has a number, and that the scales that are tried have `most` patches for a frame.

    Raises ValueError where that is not so.
    """
    scales = vocabulary.scales
    if len(shortlist) != len(scales) or min(shortlist) < 0 or not sum(shortlist):
        raise ValueError(f"recipe.search.shortlist: expected a number for each of the scales {scales}, got {shortlist}")
    patches = sum(grid**2 for grid, tried in zip(vocabulary.grids, shortlist, strict=True) if tried)
    if most > patches:
        raise ValueError(
            f"recipe.search.most: got {most} picks of a frame, but the scales that recipe.search.shortlist={shortlist} "
            f"tries have {patches} patches"
        )


@torch.no_grad()
def search(network: Reconstructor, pixels: Tensor, counts: Tensor, shortlist: tuple[int, ...]) -> list[Found]:
    """Searches the picks of normalised clips [B, T, 3, S, S]; each frame gets `counts` (i64 [B, T]) picks.

    `shortlist` says how many patches of each scale are tried for a pick; all of them make the search exhaustive. Raises
    ValueError where a count is negative, and where the shortlist does not fit (`check_shortlist`).
    """
    check_shortlist(shortlist, network.vocabulary, int(counts.max()))
    if int(counts.min()) < 0:
        raise ValueError(f"picks of a frame must be 0 or more, got {int(counts.min())}")
    found = [Found([], [], []) for _ in pixels]
    past = network.start(len(pixels))
    for frame in range(pixels.shape[1]):
        picks = _Frame(network, past, pixels[:, frame], frame)
        for one, loss in zip(found, picks.loss.tolist(), strict=True):
            one.ids.append([])
            one.losses.append([])
            one.before.append(loss)
        for made in range(int(counts[:, frame].max())):
            rows = torch.nonzero(counts[:, frame] > made).flatten()
            picks.pick(rows, shortlist)
            for row in rows.tolist():
                found[row].ids[frame].append(int(picks.ids[row, made]))
                found[row].losses[frame].append(float(picks.loss[row]))
        past = network.extended(past, picks.tokens(picks.every, picks.ids, counts[:, frame]))
    return found


class _Frame:
    """The picks of one frame so far, side by side for all clips."""

    def __init__(self, network: Reconstructor, past: Past, pixels: Tensor, number: int) -> None:
        self.network, self.past, self.pixels, self.number = network, past, pixels, number
        self.patches = network.cut(pixels)  # [B, V, P]
        self.shown = enlarge(self.patches, network.vocabulary, pixels) if past.canvas is not None else None
        self.repeated: Past | None = None  # of the clips that are still searched, once per candidate
        self.every = torch.arange(len(pixels), device=pixels.device)
        self.ids = self.every.new_zeros(len(pixels), 0)
        self.images = network.rebuilt(past, self.tokens(self.every, self.ids, None), number)
        self.loss = self._loss(self.every, self.images)  # [B]

    def tokens(self, rows: Tensor, ids: Tensor, counts: Tensor | None) -> Picked:
        """Picks i64 [R, n] of the clips i64 [R]; of each the first `counts`."""
        frame = torch.full_like(ids, self.number)
        valid = torch.ones_like(ids, dtype=torch.bool)
        if counts is not None:
            valid &= torch.arange(ids.shape[1], device=ids.device) < counts[:, None]
        return Picked(self.patches[rows[:, None], ids], ids, frame, valid)

    def pick(self, rows: Tensor, shortlist: tuple[int, ...]) -> None:
        """One more for these clips i64 [R]."""
        tried = self._tried(rows, shortlist)  # [R, C]
        many = tried.shape[1]
        ids = torch.cat([self.ids[rows].repeat_interleave(many, 0), tried.reshape(-1, 1)], 1)
        which = rows.repeat_interleave(many)
        if self.repeated is None or len(self.repeated.frame) != len(which):
            self.repeated = self.past[which]  # clips only ever leave
        past, canvas = self.repeated, None
        if self.shown is not None and past.canvas is not None:
            vocabulary = self.network.vocabulary
            canvas = paint(past.canvas, self.shown, vocabulary.picked(ids), vocabulary, which)
        images = self.network.rebuilt(past, self.tokens(which, ids, None), self.number, canvas)
        again = (tried[..., None] == self.ids[rows][:, None]).any(-1)  # where a scale has run out
        losses = self._loss(which, images).view(-1, many).masked_fill(again, float("inf"))
        self.loss[rows], best = losses.min(1)
        self.images[rows] = images.unflatten(0, (-1, many))[self.every[: len(rows)], best]
        column = torch.zeros_like(self.every)
        column[rows] = tried.gather(1, best[:, None])[:, 0]
        self.ids = torch.cat([self.ids, column[:, None]], 1)

    def _tried(self, rows: Tensor, shortlist: tuple[int, ...]) -> Tensor:
        """The ids to try, i64 [R, C]: of every scale those over which the image is worst, picked ones last."""
        vocabulary = self.network.vocabulary
        wrong = (self.pixels[rows] - self.images[rows]).abs().mean(1, keepdim=True)  # [R, 1, S, S]
        mean = torch.cat([adaptive_avg_pool2d(wrong, grid).flatten(1) for grid in vocabulary.grids], 1)
        mean = mean.scatter(1, self.ids[rows], float("-inf"))
        return torch.cat(
            [
                start + mean[:, start : start + grid**2].topk(min(many, grid**2), 1).indices
                for grid, start, many in zip(vocabulary.grids, vocabulary.starts, shortlist, strict=True)
            ],
            1,
        )

    def _loss(self, rows: Tensor, images: Tensor) -> Tensor:
        """[R] of images [R, 3, S, S] of the clips i64 [R]."""
        return self.network.loss(self.pixels[rows][:, None], images[:, None])[:, 0]
