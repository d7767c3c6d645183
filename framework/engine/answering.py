"""The model that answers, where another one has looked: what that one kept is carried over, seen again and answered.

Only ticks that hold a kept place are decoded again, in file order and once for all questions, at the size that this
backbone reads. They are encoded whole, so that a kept token is what it would be without a prober, and only kept tokens
stay, on the CPU. Knows no strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from framework.core.backbone import Backbone
from framework.core.outcome import PROBED, Offered, Trace
from framework.core.types import Candidates, Group, Layout, Selection, Timeline, Tokens
from framework.engine.carrying import Places, budget_on, carried, scores_of
from framework.engine.live import frame_size
from framework.engine.session import Session, Setup
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline


@dataclass
class Answering:
    """Shows kept places of one video to the backbone that answers."""

    setup: Setup  # with that backbone
    timeline: Timeline
    size: tuple[int, int]  # height and width of a frame, in pixels
    looked: Session  # of the prober
    budget: int  # tokens of this backbone
    frames_decoded: int = 0

    @classmethod
    def open(cls, setup: Setup, looked: Session, rounded: Callable[[int], int]) -> Answering:
        """Lists the ticks of a video that is being looked at, as this backbone sees them. Nothing is decoded yet.

        `rounded`: tokens that one of its ticks makes -> budget.
        """
        backbone, timeline = setup.backbone, looked.timeline
        if backbone.tick_time != looked.setup.backbone.tick_time:
            args = timeline.path, setup.sampling, backbone.frames_per_tick, setup.reader, backbone.tick_time
            timeline = make_timeline(*args)
        size = frame_size(setup, timeline)
        return cls(setup, timeline, size, looked, rounded(len(_tick_layout(setup, size))))

    @property
    def tick_layout(self) -> Layout:
        """Returns the grid of tokens that one tick makes."""
        return _tick_layout(self.setup, self.size)

    @property
    def budget_of_prober(self) -> int:
        """Returns how many tokens of the prober cover as much as the budget."""
        return budget_on(self.looked.tick_layout, self.tick_layout, self.budget)

    def places(self, kept: Selection, candidates: Candidates) -> Places:
        """Returns where on this backbone's grid lies what was `kept` of the prober's candidates."""
        grids = self.looked.tick_layout, self.tick_layout
        return carried(kept.to("cpu"), scores_of(kept, candidates), *grids, self.budget)

    def selections(self, asked: Sequence[tuple[str, Places]]) -> list[Selection]:
        """Returns what this backbone sees at the places of each question (id, places), on the CPU."""
        numbers = [self._numbers(places.tick, places.row, places.column) for _, places in asked]
        wanted = torch.cat(numbers).unique()
        tokens = self._seen(wanted, [name for name, _ in asked])
        found = []
        for (_, places), mine in zip(asked, numbers, strict=True):
            kept = tokens[torch.searchsorted(wanted, mine)]
            found.append(Selection(kept, places.group, places.budget, self.timeline.seconds))
        return found

    def _seen(self, wanted: Tensor, payers: Sequence[str]) -> Tokens:
        """The tokens at `wanted` (ascending numbers of places, i64 [K])."""
        ticks = (wanted // len(self.tick_layout)).unique()
        together = max(map(len, self.looked.groups))  # as many as the prober is shown at a time
        chunks = [Group(index, part) for index, part in enumerate(ticks.split(together))]
        parts = []
        with FrameSource(self.timeline, self.setup.reader, self.size, chunks) as source:
            for chunk in chunks:
                parts.append(self._encoded(chunk, source, wanted, payers))
            self.frames_decoded = source.decoded
        return Tokens.cat(parts)

    def _encoded(self, chunk: Group, source: FrameSource, wanted: Tensor, payers: Sequence[str]) -> Tokens:
        backbone: Backbone = self.setup.backbone
        with self.looked.ledger.stage("decode kept", payers):
            frames = source.frames(chunk)
        layout = backbone.layout(chunk.ticks, *self.size)
        flops = backbone.encode_flops(len(layout), len(self.tick_layout))
        with self.looked.ledger.stage(PROBED, payers, len(layout), flops):
            tokens = backbone.encode(frames, layout)
            kept = torch.isin(self._numbers(layout.tick, layout.row, layout.column), wanted)
            return tokens[kept.to(tokens.tick.device)].to("cpu")

    def trace(self, trace: Trace) -> Trace:
        """Returns the trace of a question with what this backbone decoded, and what the video is in its tokens.

        The tokens seen, and the quotas of groups, stay those of the prober.
        """
        return replace(
            trace,
            tokens_total=len(self.tick_layout) * len(self.timeline),
            frames_decoded=trace.frames_decoded + self.frames_decoded,
            offered=Offered(self.timeline.seconds, self.tick_layout),
        )

    def _numbers(self, tick: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """One number per place, ascending with tick, row and column."""
        grid = self.tick_layout
        columns = int(grid.column.max()) + 1
        return tick.cpu() * len(grid) + row.cpu() * columns + column.cpu()


def _tick_layout(setup: Setup, size: tuple[int, int]) -> Layout:
    return setup.backbone.layout(torch.zeros(1, dtype=torch.long), *size)
