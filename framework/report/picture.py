"""An outcome as a PNG: certainty of every group, where the kept tokens lie in time, and the frames they were kept from.

Draws what it is given: pixels and grid come from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle
from torch import Tensor

from framework.core.outcome import GroupTrace, Outcome

CERTAIN, SEEN, SKIPPED, KEPT = "#1b7f5c", "#4477aa", "#dddddd", "#ee6677"
BINS = 120
DIMMED = 0.35


@dataclass(frozen=True)
class Shot:
    """Holds one tick as it was shown to the model, with the cells whose tokens were kept."""

    pixels: Tensor  # u8 [3, H, W], the first frame of the tick
    seconds: float
    kept: tuple[tuple[int, int], ...]  # row and column of each kept token
    cell: tuple[int, int]  # height and width of a token's cell, pixels


def draw(path: Path, outcome: Outcome, shots: Sequence[Shot], best: GroupTrace | None) -> None:
    """Draws the picture of an outcome. `shots` are ticks of `best`, the most relevant group."""
    figure = Figure(figsize=(12, 8.5 if shots else 6), dpi=110, layout="constrained")
    upper: FigureBase = figure
    if shots and best is not None:
        upper, lower = figure.subfigures(2, 1, height_ratios=(3, 1.6))  # type: ignore[misc]
        _frames(lower, shots, best)
    upper.suptitle(_title(outcome), fontsize=11)
    axes = upper.subplots(3, 1)
    groups = outcome.trace.groups
    _certainty(axes[0], groups, best)
    _shares(axes[1], groups)
    _kept_over_time(axes[2], outcome)
    FigureCanvasAgg(figure).print_png(str(path))


def _title(outcome: Outcome) -> str:
    answer = outcome.answer
    text = outcome.question.options[answer.choice] if answer.choice is not None else answer.text
    sure = f" ({max(answer.probabilities):.0%})" if answer.probabilities else ""
    shown = outcome.question.bare if len(outcome.question.bare) <= 90 else outcome.question.bare[:89] + "…"
    return f"{shown}  →  {text}{sure}".replace("$", r"\$")


def _places(groups: Sequence[GroupTrace]) -> tuple[np.ndarray, np.ndarray, str]:
    """Left edge and width of each group on the x axis: seconds, or the group's number where groups overlap in time."""
    starts = np.array([group.seconds[0] for group in groups])
    ends = np.array([group.seconds[1] for group in groups])
    if len(groups) > 1 and bool((starts[1:] < ends[:-1]).any()):
        return np.arange(len(groups)) - 0.5, np.ones(len(groups)), "group (each spans the whole video)"
    edges = np.append(starts, max(ends[-1], starts[-1] + (np.diff(starts).mean() if len(starts) > 1 else 1.0)))
    return starts, np.diff(edges), "seconds"


def _certainty(axes: Axes, groups: Sequence[GroupTrace], best: GroupTrace | None) -> None:
    """Entropy where it was measured, else the raw value behind the relevance; skipped groups in grey."""
    left, width, unit = _places(groups)
    visited = np.array([group.visited is not None for group in groups])
    has_entropy = all("entropy" in group.signals for group in groups if group.visited is not None)
    name = "entropy (nats)" if has_entropy else next((g.unit for g in groups if g.unit), "relevance")
    values = np.array([g.signals["entropy"] if has_entropy else g.raw for g in groups if g.visited is not None], float)
    if not visited.all():
        top = max(float(values.max(initial=0.0)), 1e-3)
        axes.bar(left[~visited], top, width[~visited], align="edge", color=SKIPPED, label="skipped")
    axes.bar(left[visited], values, width[visited], align="edge", color=SEEN, label="visited")
    if best is not None:
        axes.axvline(left[best.index] + width[best.index] / 2, color=CERTAIN, lw=1, ls=":", label="most relevant")
    axes.set(ylabel=name, xlabel=unit, xlim=(left[0], left[-1] + width[-1]))
    axes.legend(loc="upper right", fontsize=7, ncols=3)


def _shares(axes: Axes, groups: Sequence[GroupTrace]) -> None:
    left, width, unit = _places(groups)
    axes.bar(left, [group.kept for group in groups], width, align="edge", color=KEPT)
    axes.set(ylabel="kept tokens per group", xlabel=unit, xlim=(left[0], left[-1] + width[-1]))


def _kept_over_time(axes: Axes, outcome: Outcome) -> None:
    first = min(group.seconds[0] for group in outcome.trace.groups)
    last = max(group.seconds[1] for group in outcome.trace.groups)
    seconds = outcome.selection.tokens.seconds.tolist() if outcome.selection is not None else []
    axes.hist(seconds, bins=BINS, range=(first, max(last, first + 1.0)), color=KEPT)
    axes.set(ylabel="kept tokens", xlabel="seconds", xlim=(first, max(last, first + 1.0)))


def _frames(figure: FigureBase, shots: Sequence[Shot], best: GroupTrace) -> None:
    """The shots side by side: what was dropped is dimmed, what was kept is framed."""
    axes = np.atleast_1d(figure.subplots(1, len(shots)))
    figure.suptitle(f"group {best.index}: kept tokens are framed", fontsize=9)
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
        one.set_title(f"{shot.seconds:.1f} s", fontsize=8)
        one.set_axis_off()
