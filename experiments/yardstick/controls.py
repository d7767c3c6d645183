"""Two controls that stand in every table: an oracle that knows where the needles are, and no video at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.benchmarks.needle import Needle
from framework.core.interfaces import TokenScorer
from framework.core.types import Answer, Question, Scores, Selection
from framework.core.view import GroupView
from framework.evaluation.evidence import shown_in
from framework.lab.world import GRID


@dataclass(frozen=True)
class Oracle(TokenScorer):
    """Ranks the needles' tokens before all others, which follow at random: the reader's limit, not a method's."""

    before_tower = True

    benchmark: Needle
    seed: int

    @cached_property
    def _needles(self) -> dict[str, tuple[tuple[tuple[float, float], ...], list[int]]]:
        """Of every question the spans of its needles in seconds, and their cells."""
        videos = map(self.benchmark.outline, range(len(self.benchmark)))
        return {one.question.id: (one.evidence, shown_in(one)[0]) for video in videos for one in video.items}

    def score(self, view: GroupView) -> Scores:
        """Returns a permutation of 1..N, raised by N for the needles' tokens."""
        spans, cells = self._needles[view.question.id]
        layout = view.layout
        seconds = view.seconds[torch.searchsorted(view.group.ticks, layout.tick)]
        place = layout.row * GRID + layout.column
        shown = torch.zeros(len(layout), dtype=torch.bool)
        for (start, end), cell in zip(spans, cells, strict=True):
            shown |= (seconds >= start) & (seconds < end) & (place == cell)
        number = int.from_bytes(
            hashlib.blake2b(f"{self.seed}\n{view.question.id}".encode(), digest_size=7).digest(), "big"
        )
        order = torch.randperm(len(layout), generator=torch.Generator().manual_seed(number))
        return Scores(order + 1.0 + len(layout) * shown.float())


class Blind(Qwen25VL):
    """Answers without the video, whatever was kept: what questions and options alone give away."""

    def answer(self, selection: Selection, question: Question) -> Answer:
        """Returns the answer to the question alone."""
        nothing = torch.empty(0, dtype=torch.long)
        none = Selection(selection.tokens[nothing], selection.group[nothing], selection.budget)
        return super().answer(none, question)
