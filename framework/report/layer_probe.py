"""The attention profile over layers as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from framework.evaluation.layer_probe import Point


def draw(path: Path, points: Sequence[Point], chance: float) -> None:
    """Draws share and AUROC over layers, one line per choice of text rows.

    The mean over heads is solid, the max dashed.
    """
    figure = Figure(figsize=(11, 4.2), dpi=110, layout="constrained")
    share, auroc = figure.subplots(1, 2)
    for place, rows in enumerate(dict.fromkeys(point.rows for point in points)):
        for heads, style in (("mean", "-"), ("max", "--")):
            line = sorted((p for p in points if (p.rows, p.heads) == (rows, heads)), key=lambda point: point.layer)
            label = rows if heads == "mean" else None
            look = {"color": f"C{place}", "ls": style, "marker": "o", "ms": 3, "label": label}
            share.plot([p.layer for p in line], [p.share for p in line], **look)
            auroc.plot([p.layer for p in line], [p.auroc for p in line], **look)
    share.axhline(chance, color="grey", lw=0.8, ls=":")
    auroc.axhline(0.5, color="grey", lw=0.8, ls=":")
    share.set(xlabel="layer", ylabel="share of top tokens on the evidence", ylim=(0, 1.02))
    auroc.set(xlabel="layer", ylabel="AUROC", ylim=(0, 1.02))
    share.legend(fontsize=7)
    FigureCanvasAgg(figure).print_png(str(path))
