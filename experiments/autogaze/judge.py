"""What the frozen reconstructor loses with given picks, without asking it where the answer is arithmetic.

The lab's reconstructor shows every pixel as it was last seen and draws itself only what never was. Where a clip has
been seen whole, the loss of a frame follows from which frame and scale lie on top where: one table per clip, over
blocks of pixels that no patch cuts. Before that the network is asked. The numbers are those of
strategies.learned.autogaze.training.metrics.true_loss.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from strategies.learned.autogaze.reconstructor.canvas import enlarge, paint
from strategies.learned.autogaze.reconstructor.model import Past, Picked, Reconstructor, places

ASKED = 512  # frames rebuilt at once
UNSEEN = -1


class Judge:
    """Computes losses over a few dozen clips, normalised f32 [N, T, 3, S, S].

    Raises ValueError where a reconstructor has no `canvas`, is not `lean`, or has teachers.
    """

    def __init__(self, network: Reconstructor, pixels: Tensor) -> None:
        if not network.config.canvas or not network.config.lean or network.teachers:
            raise ValueError("reconstructor: got one without `canvas` and `lean`, or with teachers; expected the lab's")
        self.network, self.pixels, self.vocabulary = network, pixels, network.vocabulary
        side = network.config.side
        self.grid = side // math.gcd(*(side // grid for grid in self.vocabulary.grids))  # blocks along a side
        self.blocks = self.grid**2
        with torch.no_grad():
            self.patches = network.cut(pixels)  # [N, T, V, P]
            self.errors = self._table()

    def _table(self) -> Tensor:
        """f32 [N, T, T * scales, blocks]: at frame t, where frame s shows on top in scale k, at s * scales + k."""
        pixels, scales = self.pixels, len(self.vocabulary.scales)
        count, frames = pixels.shape[:2]
        table = pixels.new_zeros(count, frames, frames * scales, self.grid, self.grid)
        for source in range(frames):
            shown = enlarge(self.patches[:, source], self.vocabulary, pixels[:, source])
            for scale, picture in enumerate(shown):
                wrong = (pixels[:, source:] - picture[:, None]).abs().mean(2)
                table[:, source:, source * scales + scale] = avg_pool2d(wrong, pixels.shape[-1] // self.grid)
        return table.flatten(3)

    @torch.no_grad()
    def loss(self, picked: Tensor) -> Tensor:
        """Returns the loss f32 [N, T] of every frame, from the picks bool [N, T, V] up to it."""
        source = self.source(picked)
        loss = self.errors.gather(2, source.clamp_min(0)[:, :, None])[:, :, 0].mean(2)
        unseen = (source < 0).any(2).sum(1)
        for depth in unseen.unique().tolist():  # the first frames of a clip, for what was seen stays seen
            if depth:
                at = torch.nonzero(unseen == depth).flatten()
                pixels = self.pixels[at, :depth]
                loss[at, :depth] = self.network.loss(pixels, self.network(pixels, picked[at, :depth]))
        return loss

    def source(self, picked: Tensor) -> Tensor:
        """Returns which frame and scale lie on top of each block, i64 [N, T, blocks], numbered as in the table.

        `picked` is bool [N, T, V]; UNSEEN stands where nothing lies on a block yet.
        """
        when = torch.arange(picked.shape[1])[:, None] * len(self.vocabulary.scales)
        level = self.level(picked)
        return torch.where(level < 0, UNSEEN, level + when).cummax(1).values

    def level(self, picked: Tensor) -> Tensor:
        """Returns the finest scale of the picks over each block, i64 [..., blocks], -1 where there is none.

        `picked` is bool [..., V].
        """
        level = torch.full((*picked.shape[:-1], self.blocks), -1)
        for scale, (grid, start) in enumerate(zip(self.vocabulary.grids, self.vocabulary.starts, strict=True)):
            cells = picked[..., start : start + grid**2].unflatten(-1, (grid, grid))
            wide = cells.repeat_interleave(self.grid // grid, -1).repeat_interleave(self.grid // grid, -2)
            level = torch.where(wide.flatten(-2), scale, level)
        return level


class Watched:
    """Follows R rows, each of one clip and with picks of its own so far, all at the same frame."""

    def __init__(self, judge: Judge, clips: Tensor) -> None:
        self.judge, self.clips, self.frame = judge, clips, 0
        self.source = torch.full((len(clips), judge.blocks), UNSEEN)  # of every block, as in the judge's table
        self.open = torch.arange(len(clips))  # rows that the network must be asked about
        self.past: Past = judge.network.start(len(clips))  # of the open ones
        self._begin()

    def _begin(self) -> None:
        judge, scales = self.judge, len(self.judge.vocabulary.scales)
        if self.frame == judge.pixels.shape[1]:
            return
        at = self.frame * scales
        self.own = judge.errors[self.clips, self.frame, at : at + scales]  # [R, scales, blocks]
        known = judge.errors[self.clips, self.frame].gather(1, self.source.clamp_min(0)[:, None])[:, 0]
        self.before = known.masked_fill(self.source < 0, float("nan"))  # [R, blocks]
        self.place = torch.full((len(self.clips),), -1)
        self.place[self.open] = torch.arange(len(self.open))
        if len(self.open):
            self.shown = enlarge(judge.patches[:, self.frame], judge.vocabulary, judge.pixels[:, self.frame])

    def errors(self, rows: Tensor, picked: Tensor) -> Tensor:
        """Returns the errors f32 [Q, blocks] of this frame, NaN where nothing was ever seen.

        `rows` is i64 [Q], and `picked` is bool [Q, V].
        """
        level = self.judge.level(picked)
        own = self.own[rows].gather(1, level.clamp_min(0)[:, None])[:, 0]
        return torch.where(level < 0, self.before[rows], own)

    def loss(self, rows: Tensor, picked: Tensor) -> Tensor:
        """Returns the loss f32 [Q] of this frame, with picks bool [Q, V] of rows i64 [Q]."""
        loss = self.errors(rows, picked).mean(1)
        asked = torch.nonzero(loss.isnan()).flatten()
        for at in asked.split(ASKED) if len(asked) else ():
            pixels = self.judge.pixels[self.clips[rows[at]], self.frame]
            images = self.images(rows[at], picked[at])
            loss[at] = self.judge.network.loss(pixels[:, None], images[:, None])[:, 0]
        return loss

    def images(self, rows: Tensor, picked: Tensor) -> Tensor:
        """Returns the network's own pictures [Q, 3, S, S], of open rows i64 [Q] with picks bool [Q, V]."""
        past = self.past[self.place[rows]]
        assert past.canvas is not None
        canvas = paint(past.canvas, self.shown, picked, self.judge.vocabulary, self.clips[rows])
        return self.judge.network.rebuilt(past, self._tokens(rows, picked), self.frame, canvas)

    def drawn(self, rows: Tensor, picked: Tensor) -> Tensor:
        """Returns the errors f32 [Q, blocks] of what the network draws for open rows.

        They count where nothing was ever seen.
        """
        pixels = self.judge.pixels[self.clips[rows], self.frame]
        wrong = (pixels - self.images(rows, picked)).abs().mean(1)
        return avg_pool2d(wrong, pixels.shape[-1] // self.judge.grid).flatten(1)

    def forked(self, rows: Tensor) -> Watched:
        """Copies some rows, i64 [R'], each as often as it is named, and begins the frame anew."""
        twin = object.__new__(Watched)
        twin.judge, twin.frame, twin.clips, twin.source = self.judge, self.frame, self.clips[rows], self.source[rows]
        twin.open = torch.nonzero(self.place[rows] >= 0).flatten()
        twin.past = self.past[self.place[rows[twin.open]]]
        twin._begin()
        return twin

    def close(self, picked: Tensor) -> None:
        """Ends the frame with these picks, bool [R, V], and begins the next one."""
        level = self.judge.level(picked)
        now = level + self.frame * len(self.judge.vocabulary.scales)
        self.source = torch.where(level < 0, self.source, now)
        stays = (self.source[self.open] < 0).any(1)
        self.open = self.open[stays]
        if len(self.open):
            past = self.past[torch.nonzero(stays).flatten()]
            self.past = self.judge.network.extended(past, self._tokens(self.open, picked[self.open]))
        self.frame += 1
        self._begin()

    def _tokens(self, rows: Tensor, picked: Tensor) -> Picked:
        ids, valid = places(picked)
        patches = self.judge.patches[self.clips[rows][:, None], self.frame, ids]
        return Picked(patches, ids, torch.full_like(ids, self.frame), valid)
