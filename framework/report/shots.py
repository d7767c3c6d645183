"""The ticks of an outcome that are worth showing, read again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from framework.core.outcome import GroupTrace, Outcome
from framework.core.types import Group, Selection
from framework.engine.pipeline import Pipeline
from framework.report.picture import Shot
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline

MOST = 8


def shots(pipeline: Pipeline, path: str, outcome: Outcome, best: GroupTrace | None, most: int = MOST) -> Sequence[Shot]:
    """Reads at most `most` ticks with kept tokens, in temporal order.

    Half of them are those of the group `best` with most kept tokens, the others are spread over the film and the other
    groups. Returns none where there is no best group, no selection or no kept token.
    """
    selection = outcome.selection
    if best is None or selection is None or not len(selection) or most < 1:
        return []
    chosen = ticks_to_show(selection, best.index, most)
    backbone, reader, tokens = pipeline.backbone, pipeline.reader, selection.tokens
    timeline = make_timeline(path, pipeline.sampling, backbone.frames_per_tick, reader, backbone.tick_time)
    info = reader.info(path)
    size = backbone.video_frame_size(info.height, info.width, len(timeline) * backbone.frames_per_tick)
    cell = backbone.layout(torch.zeros(1, dtype=torch.long), *size).cell_pixels
    part = Group(0, chosen)
    with FrameSource(timeline, reader, size, [part]) as source:
        frames = source.frames(part)
    made = []
    for place, tick in enumerate(chosen.tolist()):
        here = tokens.tick == tick
        kept = tuple(zip(tokens.row[here].tolist(), tokens.column[here].tolist(), strict=True))
        group = int(selection.group[here][0])
        made.append(Shot(frames.pixels[place, 0], float(frames.seconds[place]), kept, cell, group))
    return made


def ticks_to_show(selection: Selection, best: int, most: int) -> Tensor:
    """Chooses at most `most` ticks with kept tokens, i64, ascending.

    Half of them, rounded up, are ticks of the group `best`: those with most kept tokens. The others are evenly spread
    in time over what was kept of the other groups. Where one side has too few, the other fills up.
    """
    of_best = selection.group == best
    ticks, counts = selection.tokens.tick[of_best].unique(return_counts=True)
    others = selection.tokens.tick[~of_best].unique()
    others = others[~torch.isin(others, ticks)]
    half = max((most + 1) // 2, most - len(others))
    fullest = ticks[counts.argsort(descending=True, stable=True)[:half]]
    room = min(most - len(fullest), len(others))
    spread = (
        others[torch.linspace(0, len(others) - 1, room).round().long()]
        if room > 1
        else others[len(others) // 2 :][:room]
    )
    return torch.cat([fullest, spread]).sort().values
