"""Picks by those who may look at the true loss: an order that stops in time, and the greedy search.

Both make the picks of a frame one after the other. A frame ends at its limit, or as soon as its true loss is not above
a threshold; it gets at least one pick, as a gaze gives it. The first frame is the same for all limits and thresholds
and is made once. Greedy: the patch that lowers the frame's loss most, of all patches once the whole picture has been
seen, before that of those over which the present image is worst.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.autogaze.judge import Judge, Watched

Chooser = Callable[[Watched, Tensor, Tensor, int], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Made:
    """Holds the picks of S settings: how many there are in every frame, and the true loss after them."""

    counts: Tensor  # i64 [S, N, T]
    loss: Tensor  # f32 [S, N, T]


@torch.no_grad()
def roll_out(judge: Judge, choose: Chooser, limits: Sequence[int], thresholds: Sequence[float]) -> Made:
    """Makes picks frame by frame: setting s ends a frame at limits[s] picks, or at a true loss of thresholds[s]."""
    count, frames = judge.pixels.shape[:2]
    settings = len(limits)
    rows = Watched(judge, torch.arange(count))
    limit, until = torch.tensor(limits), torch.tensor(thresholds)
    made, losses = _frame(rows, choose, limit.max().repeat(count), until.min().repeat(count))
    rows = rows.forked(torch.arange(count).repeat(settings))
    made, losses = made.repeat(settings, 1), losses.repeat(settings, 1)
    limit, until = limit.repeat_interleave(count), until.repeat_interleave(count)
    counts, kept = [], []
    for frame in range(frames):
        if frame:
            made, losses = _frame(rows, choose, limit, until)
        counts.append(torch.minimum(_stop(losses, until), limit))
        kept.append(losses.gather(1, counts[-1][:, None] - 1)[:, 0])
        ids = made.masked_fill(torch.arange(made.shape[1]) >= counts[-1][:, None], judge.vocabulary.eos)
        rows.close(judge.vocabulary.picked(ids))
    shape = (settings, count, frames)
    return Made(torch.stack(counts, 1).view(shape), torch.stack(kept, 1).view(shape))


def _frame(rows: Watched, choose: Chooser, limit: Tensor, until: Tensor) -> tuple[Tensor, Tensor]:
    """Ids i64 [R, n] in order and the loss after each f32 [R, n], inf once a row is done."""
    vocabulary = rows.judge.vocabulary
    picked = torch.zeros(len(rows.clips), vocabulary.size, dtype=torch.bool)
    made, losses = list[Tensor](), list[Tensor]()
    active = torch.arange(len(rows.clips))
    while len(active):
        ids, loss = choose(rows, active, picked, len(made))
        picked[active, ids] = True
        for column, values, fill in ((made, ids, vocabulary.eos), (losses, loss, float("inf"))):
            whole = torch.full((len(picked),), fill, dtype=values.dtype)
            whole[active] = values
            column.append(whole)
        active = active[(loss > until[active]) & (len(made) < limit[active])]
    return torch.stack(made, 1), torch.stack(losses, 1)


def _stop(losses: Tensor, until: Tensor) -> Tensor:
    """Picks i64 [R] up to the first whose loss is not above the threshold; where there is none, all."""
    reached = losses <= until[:, None]
    made = losses.isfinite().sum(1)
    return torch.where(reached.any(1), reached.int().argmax(1) + 1, made)


def in_order(orders: Tensor) -> Chooser:
    """Returns a chooser that picks in the order of i64 [N, T, V']."""

    def choose(rows: Watched, active: Tensor, picked: Tensor, made: int) -> tuple[Tensor, Tensor]:
        ids = orders[rows.clips[active], rows.frame, made]
        with_it = picked[active]
        with_it[torch.arange(len(active)), ids] = True
        return ids, rows.loss(active, with_it)

    return choose


def greedy(tried: int) -> Chooser:
    """Returns a chooser that looks for the patch which lowers the loss most.

    It first reckons as if what the network draws elsewhere stayed. Of the `tried` patches that look best it then picks
    the one with the lowest true loss. Where all was seen the reckoning is exact, and none needs to be tried.
    """

    def choose(rows: Watched, active: Tensor, picked: Tensor, made: int) -> tuple[Tensor, Tensor]:
        now = picked[active]
        errors = rows.errors(active, now)
        new = torch.nonzero(errors.isnan().any(1)).flatten()
        if len(new):
            errors[new] = rows.drawn(active[new], now[new])
        losses = _without_network(rows, active, now, errors).masked_fill(now, float("inf"))
        if len(new):
            least, likely = losses[new].topk(tried, 1, largest=False)  # [A, tried]
            with_it = now[new].repeat_interleave(tried, 0)
            with_it[torch.arange(len(with_it)), likely.flatten()] = True
            true = (
                rows.loss(active[new].repeat_interleave(tried), with_it)
                .view_as(likely)
                .masked_fill(least.isinf(), float("inf"))
            )
            losses[new] = torch.full_like(losses[new], float("inf")).scatter(1, likely, true)
        best = losses.min(1)
        return best.indices, best.values

    return choose


def _without_network(rows: Watched, active: Tensor, picked: Tensor, errors: Tensor) -> Tensor:
    """f32 [A, V]: the loss with one more patch that changes nothing but what it covers; `errors` f32 [A, blocks]."""
    judge, level, gains = rows.judge, rows.judge.level(picked), []
    for scale, grid in enumerate(judge.vocabulary.grids):
        gain = (errors - rows.own[active, scale]) * (level < scale)  # finer patches of a frame lie on top
        side = judge.grid // grid
        gains.append(gain.view(len(active), grid, side, grid, side).sum((2, 4)).flatten(1))
    return errors.mean(1, keepdim=True) - torch.cat(gains, 1) / judge.blocks
