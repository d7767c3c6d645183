"""Draws docs/flow.png, the way from a video to an answer: `python docs/flow.py`.

Blue boxes are interfaces, with the option of `preset=adapttoken` below; grey boxes are the backbone.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

INTERFACE, BACKBONE, LINE = "#cfe3f5", "#e6e6e6", "#444444"
KEPT, GROUPS = "#1b7f5c", ("#4477aa", "#ee6677", "#bbaa33", "#66ccee")
RELEVANCE = np.array([0.18, 0.92, 0.3, 0.12])  # of four groups, as an example
QUOTAS = (1, 6, 2, 0)


def box(axes: Axes, x: float, y: float, title: str, below: str, colour: str = INTERFACE) -> None:
    """Draws one part: its name and what stands for it in the example."""
    shape = FancyBboxPatch((x - 0.95, y - 0.32), 1.9, 0.64, boxstyle="round,pad=0.03,rounding_size=0.08")
    shape.set(facecolor=colour, edgecolor=LINE, linewidth=0.8)
    axes.add_patch(shape)
    axes.text(x, y + 0.1, title, ha="center", va="center", fontsize=10, weight="bold")
    axes.text(x, y - 0.16, below, ha="center", va="center", fontsize=8, color=LINE)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "") -> None:
    """Draws what flows from one part to the next."""
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=LINE, linewidth=1))
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.11)
    axes.text(*middle, text, ha="center", va="bottom", fontsize=7.5, color=LINE)


def film(axes: Axes, x: float, y: float) -> None:
    """Draws twelve frames, each in the colour of its group; groups are interleaved."""
    for frame in range(12):
        axes.add_patch(Rectangle((x + 0.17 * frame, y), 0.15, 0.42, facecolor=GROUPS[frame % 4], edgecolor="white"))
    axes.text(x + 1.02, y - 0.12, "video, in interleaved groups", ha="center", va="top", fontsize=8, color=LINE)


def bars(axes: Axes, x: float, y: float, values: np.ndarray, label: str) -> None:
    """Draws one bar for every group."""
    for group, value in enumerate(values):
        axes.add_patch(Rectangle((x + 0.3 * group, y), 0.24, 0.6 * value + 0.02, facecolor=GROUPS[group]))
    axes.text(x + 0.57, y - 0.07, label, ha="center", va="top", fontsize=8, color=LINE)


def tokens(axes: Axes, x: float, y: float) -> None:
    """Draws the tokens of every group; the kept ones are filled."""
    for group, kept in enumerate(QUOTAS):
        for token in range(8):
            place = (x + 0.15 * token, y + 0.17 * (3 - group))
            full = (token * 3 + group) % 8 < kept
            axes.add_patch(Rectangle(place, 0.12, 0.13, facecolor=KEPT if full else "white", edgecolor=GROUPS[group]))
    axes.text(x + 0.58, y - 0.07, "kept tokens", ha="center", va="top", fontsize=8, color=LINE)


def draw() -> plt.Figure:
    """Draws the whole flow in two rows: group by group above, once per question below."""
    figure, axes = plt.subplots(figsize=(12.6, 4.5))
    axes.set(xlim=(-0.2, 12.4), ylim=(-0.35, 4.1))
    axes.axis("off")
    axes.text(-0.1, 3.95, "group by group", fontsize=9, style="italic", color=LINE)
    film(axes, 0.0, 2.75)
    box(axes, 3.45, 3.0, "splitter", "interleaved")
    box(axes, 6.05, 3.0, "scheduler", "natural order")
    box(axes, 8.65, 3.0, "probe", "one pass per group", BACKBONE)
    box(axes, 11.25, 3.45, "scorer", "attention")
    box(axes, 11.25, 2.45, "relevance", "response entropy")
    arrow(axes, (2.1, 3.0), (2.45, 3.0))
    arrow(axes, (4.45, 3.0), (5.05, 3.0), "groups")
    arrow(axes, (7.05, 3.0), (7.65, 3.0), "next")
    arrow(axes, (9.65, 3.05), (10.25, 3.4))
    arrow(axes, (9.65, 2.95), (10.25, 2.55))
    box(axes, 8.65, 1.95, "stopping", "never; or enough")
    arrow(axes, (10.25, 2.3), (9.65, 2.05))
    arrow(axes, (7.65, 2.05), (6.4, 2.6), "go on")
    axes.plot([-0.1, 12.3], [1.45, 1.45], color="#bbbbbb", linewidth=0.8, linestyle=":")
    axes.text(-0.1, 1.27, "once per question", fontsize=9, style="italic", color=LINE)
    bars(axes, 0.1, 0.25, RELEVANCE, "relevance of the groups")
    box(axes, 3.1, 0.5, "allocator", "softmax")
    tokens(axes, 4.75, 0.2)
    box(axes, 7.55, 0.5, "refiner", "location-aware")
    box(axes, 9.95, 0.5, "answerer", "final pass", INTERFACE)
    axes.text(11.95, 0.5, "answer", ha="center", va="center", fontsize=11, weight="bold", color=KEPT)
    arrow(axes, (1.5, 0.5), (2.1, 0.5))
    arrow(axes, (4.1, 0.5), (4.65, 0.5), "quotas")
    arrow(axes, (6.0, 0.5), (6.55, 0.5))
    arrow(axes, (8.55, 0.5), (8.95, 0.5))
    arrow(axes, (10.95, 0.5), (11.5, 0.5))
    figure.tight_layout(pad=0.2)
    return figure


if __name__ == "__main__":
    place = Path(__file__).with_name("flow.png")
    draw().savefig(place, dpi=110)
    print(place)
