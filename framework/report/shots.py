"""The ticks of an outcome that are worth showing, read again."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from framework.core.outcome import GroupTrace, Outcome
from framework.core.types import Group
from framework.engine.pipeline import Pipeline
from framework.report.picture import Shot
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline

MOST = 8


def shots(pipeline: Pipeline, path: str, outcome: Outcome, best: GroupTrace | None) -> Sequence[Shot]:
    """Reads at most eight ticks of the group `best`: those with most kept tokens, in temporal order.

    Returns none where there is no best group, no selection or no kept token in that group.
    """
    selection = outcome.selection
    if best is None or selection is None:
        return []
    backbone, reader = pipeline.backbone, pipeline.reader
    tokens = selection.tokens[selection.group == best.index]
    ticks, counts = tokens.tick.unique(return_counts=True)
    if not len(ticks):
        return []
    chosen = ticks[counts.argsort(descending=True, stable=True)[:MOST]].sort().values
    timeline = make_timeline(path, pipeline.sampling, backbone.frames_per_tick, reader)
    info = reader.info(path)
    size = backbone.frame_size(info.height, info.width)
    cell = backbone.layout(torch.zeros(1, dtype=torch.long), *size).cell_pixels
    part = Group(0, chosen)
    with FrameSource(timeline, reader, size, [part]) as source:
        frames = source.frames(part)
    made = []
    for place, tick in enumerate(chosen.tolist()):
        here = tokens[tokens.tick == tick]
        kept = tuple(zip(here.row.tolist(), here.column.tolist(), strict=True))
        made.append(Shot(frames.pixels[place, 0], float(frames.seconds[place]), kept, cell))
    return made
