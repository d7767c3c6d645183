"""A comparison as a PNG: the differences with their intervals, and whether answers are right as often as their
probability says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from framework.evaluation.calibration import Calibration
from framework.evaluation.comparison import Comparison, Row

REAL, OPEN = "#1b7f5c", "#4477aa"
LEVEL = 0.05
MOST = 10  # reliability lines that can be told apart


def draw(path: Path, comparison: Comparison) -> None:
    """Draws the picture: a forest plot, and a reliability diagram where answers have probabilities."""
    rows = [row for row in comparison.rows if row.versus]
    height = max(4.0, 1.6 + 0.34 * (len(rows) + len(comparison.parts)))
    figure = Figure(figsize=(13, min(height, 60)), dpi=110, layout="constrained")
    forest, reliability = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _forest(forest, comparison)
    _reliability(reliability, comparison.calibrations, named=len(comparison.parts) > 1)
    FigureCanvasAgg(figure).print_png(str(path))


def _forest(axes: Axes, comparison: Comparison) -> None:
    """One line per run and benchmark; green where the corrected p-value is below .05."""
    ticks, labels = [], []
    height = 0
    for part in comparison.parts:
        ticks.append(height)
        labels.append(_text(f"{part.benchmark}, minus {part.reference.name}"))
        height += 1
        for row in comparison.rows:
            if row.benchmark != part.benchmark or row.versus is None:
                continue
            _whisker(axes, height, row)
            ticks.append(height)
            labels.append(_text(row.run))
            height += 1
    axes.axvline(0, color="grey", lw=0.8)
    axes.set_yticks(ticks, labels, fontsize=8)
    for label, text in zip(axes.get_yticklabels(), labels, strict=True):
        label.set_fontweight("bold" if ", minus " in text else "normal")
    axes.set(ylim=(height - 0.4, -0.6), xlabel="difference of accuracy, 95 % interval (bootstrap over videos)")
    axes.set_title(
        "green: p < .05 after Holm, by sign flips of whole videos; dashed: exact bound, no two videos differ",
        fontsize=8,
    )


def _whisker(axes: Axes, height: int, row: Row) -> None:
    assert row.versus is not None
    difference = row.versus.difference
    colour = REAL if row.versus.p_videos_holm < LEVEL else OPEN
    style = "--" if difference.bound else "-"
    axes.plot([difference.low, difference.high], [height, height], color=colour, lw=1.6, ls=style)
    axes.plot([difference.value], [height], "o", color=colour, ms=5)


def _reliability(axes: Axes, calibrations: Sequence[tuple[str, str, Calibration]], named: bool) -> None:
    """Accuracy over confidence, one line per run; the area of a mark says how many answers lie in its bin."""
    axes.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":")
    for benchmark, run, found in calibrations[:MOST]:
        x, y = [one.confidence for one in found.bins], [one.accuracy.value for one in found.bins]
        label = _text(f"{run} ({benchmark})" if named else run)
        (line,) = axes.plot(x, y, lw=1, alpha=0.8, label=label)
        axes.scatter(x, y, s=[8 + 160 * one.n / found.n for one in found.bins], color=line.get_color(), alpha=0.7)
    left = len(calibrations) - MOST
    axes.set(xlabel="probability of the answer", ylabel="accuracy", xlim=(0, 1.02), ylim=(-0.02, 1.02))
    axes.set_title("reliability" + (f" ({left} more in calibration.csv)" if left > 0 else ""), fontsize=8)
    if calibrations:
        axes.legend(fontsize=7, loc="best")


def _text(text: str) -> str:
    return text.replace("$", r"\$")
