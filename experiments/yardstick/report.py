"""The comparison as tables and as one picture, from the numbers on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from omegaconf import OmegaConf

from experiments.common import Row, interval, markdown, read, save
from experiments.yardstick.protocol import middle
from framework.evaluation.threshold import Found
from framework.report.threshold import found_text

MARKERS = "osD^vPX*<>hdp8"
LIMIT, NO_METHODS = "oracle", ("oracle", "no_video")  # controls are no points: nobody could choose them


NAMES = ("thresholds", "splits", "parts", "cost")


def report(results: Path, settings: Path) -> None:
    """Prints every table whose numbers are in `results` and draws the frontier into yardstick.png there.

    The first table is that of the frozen settings in the folder `settings`.
    """
    for title, table in sections(results, settings).items():
        print(f"\n{title}\n\n{table}")
    found = _found(results)
    if {"thresholds", "cost"} <= set(found):
        frontier(results / "yardstick.png", found["thresholds"], found["cost"])


def sections(results: Path, settings: Path) -> dict[str, str]:
    """Returns the table of the frozen settings, and every table whose numbers are in `results`, by title."""
    found, tables = _found(results), {"Frozen settings": settings_table(settings)}
    if "thresholds" in found:
        rows, costs = found["thresholds"], found.get("cost", [])
        lengths = sorted({row["frames"] for row in rows})
        tables |= {
            f"Thresholds, {length:,} frames": threshold_table([row for row in rows if row["frames"] == length], costs)
            for length in lengths
        }
        budget = middle({row["budget"] for row in rows})
        tables[f"Threshold over that of the reference, {budget} tokens"] = ratio_table(
            [row for row in rows if row["budget"] == budget]
        )
    if "parts" in found:
        tables["AdaptToken's parts: threshold over that of all of it"] = ratio_table(found["parts"])
    if "splits" in found:
        tables["Accuracy on the other splits"] = split_table(found["splits"])
    if "cost" in found:
        tables["A question that comes alone"] = cost_table(found["cost"])
    return tables


def _found(results: Path) -> dict[str, list[dict[str, Any]]]:
    files = {name: results / f"yardstick_{name}.csv" for name in NAMES}
    return {name: read(file) for name, file in files.items() if file.is_file()}


def settings_table(folder: Path) -> str:
    """Returns a table with a row per frozen setting in `folder`: what was tried, what was best, and how good it was."""
    found: dict[str, Any] = {file.stem: OmegaConf.load(file) for file in sorted(folder.glob("*.yaml"))}
    return markdown(
        ["method", "tried", "best setting", "accuracy", "GFLOP"],
        [
            [name, one.tried, f"`{' '.join(one.words)}`", f"{one.accuracy:.3f}", _giga(one.operations)]
            for name, one in found.items()
        ],
    )


def threshold_table(rows: Sequence[Row], costs: Sequence[Row]) -> str:
    """Returns a table of one length: a row per method with its number of videos, a column per budget, and operations.

    The operations are those at the middle budget.
    """
    budgets = sorted({row["budget"] for row in rows})
    cells = {(row["method"], row["budget"]): _text(row, "threshold") for row in rows}
    price = {row["method"]: row["operations"] for row in costs if row["frames"] == rows[0]["frames"]}
    videos = {row["method"]: row["videos"] for row in rows}
    return markdown(
        ["method", "videos", *(f"{budget} tokens" for budget in budgets), "GFLOP"],
        [
            [name, count, *(cells.get((name, budget), "") for budget in budgets), _giga(price.get(name))]
            for name, count in videos.items()
        ],
    )


def ratio_table(rows: Sequence[Row]) -> str:
    """Returns a table with a row per method and a column per length: thresholds over the reference's."""
    lengths = sorted({row["frames"] for row in rows})
    cells = {(row["method"], row["frames"]): _text(row, "ratio") for row in rows}
    return markdown(
        ["method", *(f"{length:,} frames" for length in lengths)],
        [
            [name, *(cells.get((name, length), "") for length in lengths)]
            for name in dict.fromkeys(row["method"] for row in rows)
        ],
    )


def split_table(rows: Sequence[Row]) -> str:
    """Returns a table with a row per method and split, and a column per length."""
    lengths = sorted({row["frames"] for row in rows})
    keys = dict.fromkeys((row["split"], row["method"]) for row in rows)
    cells = {(row["split"], row["method"], row["frames"]): interval(row) for row in rows}
    return markdown(
        ["split", "method", *(f"{length:,} frames" for length in lengths)],
        [[*key, *(cells.get((*key, length), "") for length in lengths)] for key in keys],
    )


def cost_table(rows: Sequence[Row]) -> str:
    """Returns a table with a row per method, and operations, passes and seconds per length at the middle budget."""
    budget = middle({row["budget"] for row in rows})
    shown = [row for row in rows if row["budget"] == budget]
    lengths = sorted({row["frames"] for row in shown})
    cells = {(row["method"], row["frames"]): row for row in shown}
    names = dict.fromkeys(row["method"] for row in shown)
    return markdown(
        ["method", *(f"{length:,} frames: GFLOP, passes, s" for length in lengths)],
        [[name, *(_cost(cells.get((name, length))) for length in lengths)] for name in names],
    )


def frontier(path: Path, thresholds: Sequence[Row], costs: Sequence[Row]) -> None:
    """Draws threshold against operations: a panel per length at the middle budget, the frontier as a line.

    What the oracle reaches is a line, too: the reader's limit.
    """
    budget = middle({row["budget"] for row in thresholds})
    lengths = sorted({row["frames"] for row in thresholds})
    price = {(row["frames"], row["budget"], row["method"]): row["operations"] for row in costs}
    figure = Figure(figsize=(max(8, 5 * len(lengths)), 5.5), dpi=110, layout="constrained")
    panels = figure.subplots(1, len(lengths), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(row["method"] for row in thresholds if row["method"] not in NO_METHODS))
    for axes, length in zip(panels, lengths, strict=True):
        rows = [row for row in thresholds if (row["frames"], row["budget"]) == (length, budget)]
        for row in rows:
            if row["method"] == LIMIT:
                axes.axhline(_value(row), color="#444444", lw=1, ls=":", label="the reader's limit (oracle)")
        rows = [row for row in rows if row["method"] in names]
        _panel(axes, rows, {row["method"]: price.get((length, budget, row["method"])) for row in rows}, names)
        axes.set_title(f"{length:,} frames, {budget} tokens", fontsize=9)
    panels[0].set_ylabel("threshold: opacity of the needles (lower is better)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7)
    save(figure, path)


def _panel(axes: Axes, rows: Sequence[Row], price: Mapping[str, float | None], names: Sequence[str]) -> None:
    points = []
    for row in rows:
        at, value = price[row["method"]], _value(row)
        if at is None:
            continue
        place = names.index(row["method"])
        axes.plot([at], [value], MARKERS[place % len(MARKERS)], color=f"C{place % 10}", ms=6, label=row["method"])
        if math.isfinite(row["threshold_low"] or math.nan) and math.isfinite(row["threshold_high"] or math.nan):
            axes.vlines([at], row["threshold_low"], row["threshold_high"], color=f"C{place % 10}", lw=0.8, alpha=0.6)
        points.append((at, value))
    best, line = math.inf, []
    for at, value in sorted(points):
        if value < best:
            best = value
            line.append((at, value))
    if line:
        axes.step(*zip(*line, strict=True), where="post", color="#444444", lw=1, ls="--", zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="operations of a question that comes alone")


def _value(row: Row) -> float:
    """A threshold as a height: one beyond the scale stands at the scale's end."""
    least, most = float(row["threshold_least"]), float(row["threshold_most"])
    return most if least == 0 else least


def _text(row: Row, name: str) -> str:
    ends = [row[f"{name}_{end}"] for end in ("least", "most", "low", "high")]
    if ends[0] is None:
        return "1"
    return found_text(Found(*(math.nan if end is None else float(end) for end in ends)))


def _giga(operations: float | None) -> str:
    return "" if operations is None else f"{operations / 1e9:.3g}"


def _cost(row: Row | None) -> str:
    return "" if row is None else f"{row['operations'] / 1e9:.3g}, {row['passes']:.3g}, {row['seconds']:.2f}"
