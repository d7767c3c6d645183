"""Scores tokens with AutoGaze's trained gaze: patches at several scales that are enough to rebuild the video.

Frames are cut into tiles of as many tokens as the gaze's finest grid has patches; on each tile and clip the gaze picks
patch after patch. A token's score in a frame is the best of (1 - k / picks) * o / a^eta over the picks on it: k-th of
its frame and tile, covering the share o of the token and a tokens in all; a tick takes its better frame. With a loss
threshold a frame ends when its predicted loss is low enough, and tokens less than half covered in every frame of their
tick are refused, before the vision tower. Source: AutoGaze (arXiv 2603.12254); the score is ours.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView, Needs
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.cost import flops
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.gaze.token_grid import Canvas

log = logging.getLogger(__name__)
HALF = 0.5 - 1e-6  # of a token, rounding aside


@dataclass(frozen=True)
class AutoGaze(TokenScorer):
    """Scores each token by the picks of a trained gaze: f32 [N] >= 0, comparable across groups.

    The score is 0 where no pick lies, and -inf where a threshold refuses the token.
    """

    checkpoint: str | None
    picks: float | int
    loss_threshold: float | None
    epsilon: float | None
    eta: float
    frames: int
    tiles: int

    comparable = True
    blind = True
    before_tower = True

    def __post_init__(self) -> None:
        for name in ("frames", "tiles"):
            if getattr(self, name) < 1:
                raise ValueError(f"scorer.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.eta < math.inf:
            raise ValueError(f"scorer.eta must be a number >= 0, got {self.eta}")
        _ = self.most  # a wrong checkpoint, budget or threshold is refused now

    @cached_property
    def source(self) -> Source:
        """Returns the source of the weights."""
        return Source(self.checkpoint)

    @cached_property
    def control(self) -> Control:
        """Says how much is picked, and when a frame ends."""
        threshold = self.source.threshold(self.loss_threshold, self.epsilon)
        if self.epsilon is not None and (least := self.source.reached) > self.epsilon:
            log.warning("scorer.epsilon=%g: the weights reached %.3f at best when calibrated", self.epsilon, least)
        return Control(self.picks, threshold, self.source.about.rope_mode)

    @cached_property
    def most(self) -> int:
        """Returns the largest number of picks of a frame and tile."""
        return int(self.control.counts(self.source.about.config.vocabulary, 1, 0, 1))

    @property
    def needs(self) -> Needs:
        """Asks for pixels."""
        return Needs(pixels=True)

    @torch.no_grad()
    def score(self, view: GroupView) -> Scores:
        """Returns the score of each token.

        The signals are the patches picked and the tokens that they cover. With a threshold, the latter are the tokens
        kept.
        """
        layout, pixels = view.layout, view.frames.pixels
        canvas, look = self._canvas(view), (self.control, self.most, self.eta, self.tiles)
        seen = [one for clips in self._clips(pixels) for one in canvas.look(self.source.gaze, clips, *look)]
        slot = torch.searchsorted(view.group.ticks.cpu(), layout.tick.cpu())

        def per_token(frames: list[Tensor]) -> Tensor:
            ticks = torch.cat(frames).unflatten(0, pixels.shape[:2]).amax(1).cpu()  # [Tg, rows, columns]
            return ticks[slot, layout.row.cpu(), layout.column.cpu()]

        values = per_token([clip.scores for clip in seen])
        kept = values > 0
        if self.control.loss_threshold is not None:
            kept = per_token([clip.coverage for clip in seen]) >= HALF
            if not kept.any():  # tokens much larger than patches: the best one stands for the group
                kept[values.argmax()] = True
            values = values.masked_fill(~kept, -math.inf)
        picked = sum(clip.picks for clip in seen)
        return Scores(values, {"gazed_ids": float(picked), "merged_tokens": float(kept.sum())})

    def flops(self, view: GroupView) -> float:
        """Estimates the operations with the most picks allowed. A threshold may end frames earlier."""
        rows, columns = self._canvas(view).tiles
        clips = view.frames.pixels.flatten(0, 1).split(self.frames)
        return rows * columns * sum(flops(self.source.about.config, len(clip), self.most) for clip in clips)

    def _clips(self, pixels: Tensor) -> list[Tensor]:
        """u8 [clips, T, 3, H, W]: whole clips, to be looked at together, and a shorter last one apart."""
        frames = pixels.flatten(0, 1)
        whole = len(frames) - len(frames) % self.frames
        parts = frames[:whole].unflatten(0, (whole // self.frames, self.frames)), frames[None, whole:]
        return [part for part in parts if part.numel()]

    def _canvas(self, view: GroupView) -> Canvas:
        pixels, cell = view.frames.pixels, view.layout.cell_pixels
        return Canvas((pixels.shape[-2] // cell[0], pixels.shape[-1] // cell[1]), cell, self.source.finest)
