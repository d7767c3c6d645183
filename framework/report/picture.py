"""The picture of a question: what it was, how certain every group was, where the kept tokens lie, the frames of some.

Draws what it is given: pixels and grid come from the caller. The file's suffix says the form: png, pdf or svg.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle
from torch import Tensor

from framework.core.outcome import GroupTrace, Outcome
from framework.evaluation.metrics import best_group
from framework.report import panels
from framework.report.fonts import fonts_for
from framework.report.panels import EVIDENCE, KEPT, shortened
from framework.report.story import Spans, Story, of_outcome

FORMS = ("png", "pdf", "svg")
UNDATED = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}  # the same picture, the same file
DIMMED = 0.35
WIDTH, DPI = 13.0, 110
COLUMNS, LINES = 110, 3  # of the question in the title


@dataclass(frozen=True)
class Shot:
    """Holds one tick as it was shown to the model, with the cells whose tokens were kept."""

    pixels: Tensor  # u8 [3, H, W], the first frame of the tick
    seconds: float
    kept: tuple[tuple[int, int], ...]  # row and column of each kept token
    cell: tuple[int, int]  # height and width of a token's cell, pixels
    group: int = 0


def draw(
    path: Path,
    outcome: Outcome,
    shots: Sequence[Shot],
    best: GroupTrace | None,
    about: str = "",
    evidence: Spans = (),
) -> None:
    """Draws the picture of an outcome. `best` is the most relevant group; `about` says what ran.

    `evidence` are spans of seconds that hold it, where they are known.
    """
    draw_story(path, of_outcome(outcome, evidence), shots, best, about)


def draw_story(
    path: Path, story: Story, shots: Sequence[Shot] = (), best: GroupTrace | None = None, about: str = ""
) -> None:
    """Draws the picture of a story. Raises ValueError for a suffix that is none of png, pdf and svg."""
    form = path.suffix.lstrip(".")
    if form not in FORMS:
        raise ValueError(f"a picture is a file whose name ends with {', '.join(FORMS)}, got {path.name}")
    best = best or best_group(story.groups)
    with fonts_for((*story.texts, about)):
        over_time = story.timed and story.kept_seconds is not None
        heights = (2.6, 1.7, *((1.7,) if over_time else ()))
        below = 2.6 if shots else 0.0
        figure = Figure(figsize=(WIDTH, 1.2 + sum(heights) + below), dpi=DPI, layout="constrained")
        upper: FigureBase = figure
        if shots:
            upper, lower = figure.subfigures(2, 1, height_ratios=(1.2 + sum(heights), below))  # type: ignore[misc]
            _frames(lower, shots, best if story.ranked else None, story.evidence)
        upper.suptitle(_title(story, about), fontsize=11, parse_math=False)
        _panels(upper, story, best, heights)
        figure.savefig(path, format=form, metadata=UNDATED[form])


def _panels(figure: FigureBase, story: Story, best: GroupTrace | None, heights: Sequence[float]) -> None:
    """The groups on the left, the options, where there are any, on the right."""
    wide = bool(story.probabilities)
    grid = figure.add_gridspec(len(heights), 1 + wide, height_ratios=heights, width_ratios=(3.2, 1)[: 1 + wide])
    left = [figure.add_subplot(grid[row, 0]) for row in range(len(heights))]
    panels.certainty(left[0], story, best)
    panels.kept_by_group(left[1], story)
    if len(left) > 2:
        panels.kept_over_time(left[2], story)
    if wide:
        panels.options(figure.add_subplot(grid[0, 1]), story)


def _title(story: Story, about: str) -> str:
    """The question, then its answer, the right one and what ran."""
    asked = textwrap.wrap(story.question, COLUMNS, max_lines=LINES, placeholder=" …")
    sure = f" ({max(story.probabilities):.1%})" if story.probabilities else ""
    said = [f"answer: {shortened(story.answered, COLUMNS)}{sure}"]
    if story.expected:
        said.append(f"right: {shortened(story.expected, COLUMNS)}")
    return "\n".join([*asked, "   ·   ".join([*said, *([about] if about else [])])])


def _frames(figure: FigureBase, shots: Sequence[Shot], best: GroupTrace | None, evidence: Spans) -> None:
    """The shots side by side: what was dropped is dimmed, what was kept is framed."""
    axes = np.atleast_1d(figure.subplots(1, len(shots)))
    marked = "; ▼ of the most relevant group" if best is not None else ""
    figure.suptitle(f"frames with kept tokens (framed){marked}", fontsize=9)
    for one, shot in zip(axes, shots, strict=True):
        picture = shot.pixels.permute(1, 2, 0).numpy().astype(np.float32) / 255
        shown = picture * DIMMED
        height, width = shot.cell
        for row, column in shot.kept:
            at = (slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width))
            shown[at] = picture[at]
        one.imshow(shown, interpolation="nearest")
        for row, column in shot.kept:
            corner = (column * width - 0.5, row * height - 0.5)
            one.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=KEPT, linewidth=1.5))
        mark = "▼ " if best is not None and shot.group == best.index else ""  # as in the panel of certainty
        one.set_title(f"{mark}{shot.seconds:.1f} s, group {shot.group}", fontsize=8)
        if any(start <= shot.seconds < end for start, end in evidence):
            one.text(0.5, -0.06, "evidence", transform=one.transAxes, ha="center", va="top", fontsize=8, color=EVIDENCE)
        one.set_axis_off()
