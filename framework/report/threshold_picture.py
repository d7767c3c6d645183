"""Psychometric curves as a PNG: accuracy over the opacity of the needles, one curve per preset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from framework.evaluation.scale import Method
from framework.report.threshold import found_text

POINTS = 200  # of a drawn curve
MARKERS = "osD^vPX*"


def draw(path: Path, methods: Sequence[Method]) -> None:
    """Draws accuracies with their intervals, fitted curves, and thresholds with theirs on the line half-way."""
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    axes = figure.subplots()
    scale = np.array([cell.opacity for cell in methods[0].cells])
    chance = methods[0].threshold.curve.chance
    half = (1 + chance) / 2
    x = np.geomspace(scale[0], scale[-1], POINTS)
    for place, method in enumerate(methods):
        color, found = f"C{place}", method.threshold.value
        y = np.array([cell.accuracy.value for cell in method.cells])
        ends = np.array([(cell.accuracy.low, cell.accuracy.high) for cell in method.cells]).T
        beside = scale * 1.012 ** (place - (len(methods) - 1) / 2)  # so that whiskers do not hide each other
        label = f"{method.name}: {found_text(found)}".replace("$", r"\$")
        axes.plot(x, method.threshold.curve(x), color=color, lw=1.4)
        axes.plot(beside, y, MARKERS[place % len(MARKERS)], color=color, ms=5, label=label)
        axes.vlines(beside, *ends, color=color, lw=0.8, alpha=0.6)
        if found.least == found.most:
            low, high = np.clip([found.low, found.high], scale[0], scale[-1])
            height = half + 0.012 * (place - (len(methods) - 1) / 2)
            axes.plot([low, high], [height, height], color=color, lw=3, alpha=0.5, solid_capstyle="butt")
    axes.axhline(chance, color="#444444", ls=":", lw=1)
    axes.axhline(half, color="#444444", ls="--", lw=0.8)
    axes.text(scale[-1], chance, "chance ", ha="right", va="bottom", fontsize=8)
    axes.text(scale[-1], half, "half-way ", ha="right", va="bottom", fontsize=8)
    axes.set_xscale("log")
    axes.set_xticks(scale, [f"{opacity:g}" for opacity in scale])
    axes.minorticks_off()
    axes.set(xlabel="opacity of the needles", ylabel="accuracy", ylim=(0, 1.03))
    axes.set_title("bars half-way: 95 % intervals of the thresholds, bootstrap over videos", fontsize=8)
    axes.legend(fontsize=8, loc="lower right", title="threshold [95 %]", title_fontsize=8)
    FigureCanvasAgg(figure).print_png(str(path))
