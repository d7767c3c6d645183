"""Frames side by side: as it is, what was picked of it, what is rebuilt from that.

In the middle a picked patch shows what its scale keeps of it, outlined in that scale's colour, the finest on top; the
rest is dimmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from strategies.learned.autogaze.gaze.pixels import resize
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.inspect.figures import Figures, FrameFigures
from strategies.learned.autogaze.inspect.video import Seen

COLOURS = ((255, 95, 95), (255, 205, 60), (80, 215, 255), (140, 255, 120))  # coarse to fine, then again from the start
SMALLEST, LARGEST = 320, 512  # pixels along the longer side of a panel
DIMMED = 0.3
GAP = 8  # pixels between panels
TITLES = ("frame as read", "gazed", "rebuilt")
TRUE, PREDICTED, ASKED = "#222222", "#4477aa", "#cc3311"
Panel = NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True)
class Shot:
    """Holds the panels of a frame, and its figures."""

    panels: tuple[Panel, Panel, Panel]
    figures: FrameFigures

    @property
    def strip(self) -> Panel:
        """Returns the panels side by side."""
        gap = np.full((self.panels[0].shape[0], GAP, 3), 255, np.uint8)
        return np.concatenate([self.panels[0], gap, self.panels[1], gap, self.panels[2]], 1)


def shots(seen: Seen, vocabulary: Vocabulary, figures: Sequence[FrameFigures]) -> list[Shot]:
    """Returns one shot of every frame of a clip."""
    size = _size(*seen.frames.shape[-2:])
    plain, rebuilt = (resize(pixels, *size) for pixels in (seen.frames, seen.images))
    gazed = _gazed(seen, vocabulary, size)
    return [
        Shot((_shown(a), _shown(b), _shown(c)), own)
        for a, b, c, own in zip(plain, gazed, rebuilt, figures, strict=True)
    ]


def overview(path: Path, chosen: Sequence[Shot], vocabulary: Vocabulary) -> None:
    """Draws the chosen frames as columns and their panels as rows, as a PNG file."""
    height, width = chosen[0].panels[0].shape[:2]
    column = 2.4
    figure = Figure(figsize=(max(column * len(chosen), 5.0), 3 * column * height / width + 0.9), dpi=110)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(TITLES), len(chosen), squeeze=False)
    for place, shot in enumerate(chosen):
        own = shot.figures
        told = (f"frame {own.frame}, {own.seconds:.2f} s", f"{sum(own.picks)} patches", f"error {own.error:.2f}")
        for row, (panel, title) in enumerate(zip(shot.panels, told, strict=True)):
            axes[row, place].imshow(panel)
            axes[row, place].set_title(title, fontsize=8)
            axes[row, place].set(xticks=[], yticks=[])
    for row, title in enumerate(TITLES):
        axes[row, 0].set_ylabel(title, fontsize=9)
    figure.legend(handles=_legend(vocabulary), loc="outside lower center", ncols=len(vocabulary.scales), fontsize=8)
    FigureCanvasAgg(figure).print_png(str(path))


def curve(path: Path, figures: Figures) -> None:
    """Draws the true and predicted error of every frame, and its picks per scale, over time, as a PNG file."""
    figure = Figure(figsize=(10, 5.4), dpi=110, layout="constrained")
    error, kept = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    frames, places = figures.frames, np.arange(len(figures.frames))
    error.plot(places, [one.error for one in frames], color=TRUE, marker="o", ms=3, label="true")
    error.plot(places, [one.predicted_error for one in frames], color=PREDICTED, ls="--", marker=".", label="predicted")
    if figures.epsilon is not None:
        error.axhline(figures.epsilon, color=ASKED, lw=1, label=f"epsilon {figures.epsilon:g}")
    below = np.zeros(len(frames))
    for number, scale in enumerate(figures.vocabulary.scales):
        picks = np.array([one.picks[number] for one in frames])
        kept.bar(places, picks, 0.9, below, color=_colour(number), edgecolor="#555555", lw=0.3, label=f"{scale} px")
        below += picks
    for place in (i for i in places[1:] if frames[i].clip != frames[i - 1].clip):
        for axes in (error, kept):
            axes.axvline(place - 0.5, color="#aaaaaa", lw=0.7, ls=":")
    error.set(ylabel="error, keeping nothing = 1", ylim=(min(0.0, error.get_ylim()[0]), 1.15 * error.get_ylim()[1]))
    kept.set(
        ylabel="patches kept", xlabel="frames looked at (dotted: the gaze begins anew)", ylim=(0, 1.3 * below.max())
    )
    kept.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (error, kept):
        axes.legend(fontsize=7, ncols=4, loc="upper right")
    FigureCanvasAgg(figure).print_png(str(path))


def _gazed(seen: Seen, vocabulary: Vocabulary, size: tuple[int, int]) -> Tensor:
    """U8 [T, 3, *size]."""
    tiled = seen.tiled
    shown = (resize(seen.frames, *size).float() * DIMMED).to(torch.uint8)
    masks = tiled.masks(vocabulary)
    for scale, mask in zip(vocabulary.scales, masks, strict=True):
        kept = resize(resize(seen.frames, tiled.rows * scale, tiled.columns * scale), *size)
        where = interpolate(mask[:, None].float(), size, mode="nearest-exact") > 0
        shown = torch.where(where, kept, shown)
    for number, mask in enumerate(masks):
        colour = torch.tensor(COLOURS[number % len(COLOURS)], dtype=torch.uint8)[:, None, None]
        for frame, row, column in mask.nonzero().tolist():
            _outline(shown[frame], (row, column), (mask.shape[1], mask.shape[2]), colour, 2 if number == 0 else 1)
    return shown


def _outline(picture: Tensor, cell: tuple[int, int], grid: tuple[int, int], colour: Tensor, thick: int) -> None:
    """Draw the border of a cell of a grid over [3, H, W], inside the cell."""
    edges = [round(at * side / of) for place, side, of in zip(cell, picture.shape[1:], grid, strict=True)
             for at in (place, place + 1)]  # fmt: skip
    top, bottom, left, right = edges
    for rows, columns in (
        (slice(top, top + thick), slice(left, right)),
        (slice(bottom - thick, bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + thick)),
        (slice(top, bottom), slice(right - thick, right)),
    ):
        picture[:, rows, columns] = colour


def _size(height: int, width: int) -> tuple[int, int]:
    """Of a panel: even numbers, as films want them."""
    longer = max(height, width)
    scale = min(max(longer, SMALLEST), LARGEST) / longer
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))


def _shown(pixels: Tensor) -> Panel:
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _legend(vocabulary: Vocabulary) -> list[Patch]:
    of = (
        f"{scale} px: {grid} × {grid} a tile" for scale, grid in zip(vocabulary.scales, vocabulary.grids, strict=True)
    )
    return [Patch(facecolor=_colour(i), edgecolor="#555555", label=label) for i, label in enumerate(of)]


def _colour(number: int) -> tuple[float, float, float]:
    red, green, blue = COLOURS[number % len(COLOURS)]
    return red / 255, green / 255, blue / 255
