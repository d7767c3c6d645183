"""Plots of one evaluation: are right answers more certain, does looking at more help, where does the budget go.

Pure functions of the lines of questions.jsonl; `save` draws them as PNGs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from framework.evaluation.association import RIGHT as LEAST_RIGHT

RIGHT, WRONG, EVEN = "#1b7f5c", "#ee6677", "#aaaaaa"
BINS = 20
POINTS = 51  # of the budget curve
Line = Mapping[str, Any]  # of questions.jsonl
Numbers = NDArray[np.float64]


def entropies(lines: Sequence[Line]) -> tuple[Numbers, Numbers]:
    """Returns the entropy (nats) of the right and of the wrong answers, where known.

    Right is a score above 0.5, as in `sieve compare`.
    """
    known = [(line["entropy"], line["correct"] > LEAST_RIGHT) for line in lines if line["entropy"] is not None]
    right = np.array([entropy for entropy, good in known if good], float)
    return right, np.array([entropy for entropy, good in known if not good], float)


def accuracy_by_share(lines: Sequence[Line], bins: int = 10) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """Puts questions into bins of equal width by the share of groups that were visited.

    Returns mean share, accuracy and number of questions per bin, only of bins that hold questions.
    """
    share = np.array([line["groups_visited"] / line["groups_total"] for line in lines], float)
    correct = np.array([line["correct"] for line in lines], float)
    place = np.minimum((share * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    means = [np.bincount(place, values, bins)[there] / counts[there] for values in (share, correct)]
    return means[0], means[1], counts[there]


def budget_curve(lines: Sequence[Line], points: int = POINTS) -> tuple[Numbers, Numbers]:
    """Returns x in 0..1, and the share of the kept tokens that the most relevant x of the visited groups hold.

    The share is a mean over questions. The diagonal is a budget in equal shares. Questions that kept nothing, or know
    no relevance, do not count.
    """
    x = np.linspace(0, 1, points)
    curves = [np.interp(x, *curve) for line in lines if (curve := _curve(line)) is not None]
    return x, np.mean(curves, axis=0) if curves else np.full(points, np.nan)


def _curve(line: Line) -> tuple[Numbers, Numbers] | None:
    groups = line["groups"]
    pairs = [
        (value, kept)
        for value, kept in zip(groups["relevance"], groups["kept"], strict=True)
        if value is not None and kept is not None
    ]
    kept = np.array([kept for _, kept in sorted(pairs, key=lambda pair: -pair[0])], float)
    if not kept.sum():
        return None
    return np.linspace(0, 1, len(kept) + 1), np.concatenate([[0.0], kept.cumsum() / kept.sum()])


def draw_entropies(axes: Axes, lines: Sequence[Line]) -> None:
    """Draws histograms of the entropy of right and of wrong answers, each as a share of its kind."""
    right, wrong = entropies(lines)
    edges = np.linspace(0, max(np.concatenate([right, wrong, [1e-3]])), BINS + 1)
    for values, color, name in ((right, RIGHT, "right"), (wrong, WRONG, "wrong")):
        if len(values):
            weights = np.full(len(values), 1 / len(values))
            label = f"{name}: {len(values)} answers, mean {values.mean():.2f}"
            axes.hist(values, edges.tolist(), weights=weights, color=color, alpha=0.6, label=label)
    axes.set(
        title="How certain right and wrong answers are", xlabel="entropy of the answer, nats", ylabel="share of answers"
    )
    if len(right) + len(wrong):
        axes.legend()


def draw_accuracy_by_share(axes: Axes, lines: Sequence[Line]) -> None:
    """Draws accuracy against the share of groups visited.

    Each point has its 95 % Wilson interval and its number of questions.
    """
    share, accuracy, counts = accuracy_by_share(lines)
    bounds = [
        stats.binomtest(round(a * n), int(n)).proportion_ci(0.95, "wilson")
        for a, n in zip(accuracy, counts, strict=True)
    ]
    low = np.array([min(bound.low, a) for bound, a in zip(bounds, accuracy, strict=True)])
    high = np.array([max(bound.high, a) for bound, a in zip(bounds, accuracy, strict=True)])
    axes.errorbar(share, accuracy, [accuracy - low, high - accuracy], fmt="o-", color=RIGHT, capsize=3)
    for x, y, count in zip(share, accuracy, counts, strict=True):
        axes.annotate(f" n={count}", (x, y), va="bottom")
    axes.set(title="Accuracy by how much was looked at", xlabel="share of groups visited", ylabel="accuracy")
    axes.set(xlim=(0, 1.1), ylim=(0, 1.05))


def draw_budget(axes: Axes, lines: Sequence[Line]) -> None:
    """Draws the budget curve, with the diagonal of equal shares."""
    x, share = budget_curve(lines)
    axes.plot(x, share, color=RIGHT, label="kept tokens")
    axes.plot([0, 1], [0, 1], color=EVEN, linestyle="--", label="equal shares")
    axes.set(
        title="Where the budget goes", xlabel="most relevant share of the visited groups", ylabel="share of kept tokens"
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower right")


PLOTS: dict[str, Callable[[Axes, Sequence[Line]], Any]] = {
    "entropy": draw_entropies,
    "accuracy_by_share_visited": draw_accuracy_by_share,
    "budget_curve": draw_budget,
}


def save(lines: Sequence[Line], folder: Path) -> list[Path]:
    """Draws every plot into `folder`, which is made, and returns the files. Without lines there are no files."""
    if not lines:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [_saved(draw, lines, folder / f"{name}.png") for name, draw in PLOTS.items()]


def _saved(draw: Callable[[Axes, Sequence[Line]], Any], lines: Sequence[Line], path: Path) -> Path:
    figure = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    draw(figure.subplots(), lines)
    FigureCanvasAgg(figure).print_png(str(path))
    return path
