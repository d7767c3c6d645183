"""How uncertain right and wrong answers are, with the needle in the shown group and without it.

    python -m experiments.adapttoken.entropy_of_answers frames=1024 videos=20 opacity=1.0,0.08 group_ticks=8,32 seed=1

The counterpart of AdaptToken's Figure 3. Every group of a video is shown on its own, with every question about it:
groups of 16 and of 64 frames, opaque needles and faint ones. Writes entropy_of_answers.png, .csv and
entropy_of_answers_histogram.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.adapttoken.probes import Probed, record_run, row
from experiments.common import (
    RESULTS,
    Row,
    arguments,
    commits,
    composing,
    interval,
    markdown,
    numbers,
    read,
    run,
    save,
    write,
)
from framework.evaluation.association import auroc_interval
from framework.evaluation.statistics import mean_interval

NAME = "entropy_of_answers"
DEFAULTS = {
    "frames": "1024",
    "videos": "20",
    "opacity": "1.0,0.08",
    "group_ticks": "8,32",
    "seed": "1",
    "folder": str(RESULTS),
}
MEANINGS = {
    "group_ticks": "sizes of a group, in ticks of two frames",
}
EDGES = np.linspace(0, 1.5, 31)  # nats; ln 4 = 1.386
RESAMPLES = 500
RIGHT, WRONG = "#1b7f5c", "#ee6677"


def figures(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Returns three rows about the answers: with the needle in the shown group, without it, and both together.

    Each has accuracy, the median entropy (nats) of right and of wrong answers, and the AUROC of right against wrong
    ones.
    """
    rows = []
    parts = {"shown": probes.shown, "not shown": ~probes.shown, "either": np.ones(len(probes), bool)}
    for needle, where in parts.items():
        part = probes[where]
        entropy = part.signals["entropy"]
        accuracy = mean_interval(part.right.astype(float).tolist(), part.video, RESAMPLES)
        auroc = auroc_interval((-entropy).tolist(), part.right.tolist(), part.video, RESAMPLES, 0)
        rows.append(
            {
                **setting,
                "needle": needle,
                "answers": len(part),
                "right": int(part.right.sum()),
                "accuracy": accuracy.value,
                "low": accuracy.low,
                "high": accuracy.high,
                "median_right": _median(entropy[part.right]),
                "median_wrong": _median(entropy[~part.right]),
                "auroc": auroc.value,
                "auroc_low": auroc.low,
                "auroc_high": auroc.high,
            }
        )
    return rows


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def histogram(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Counts the answers in each bin of entropy, by needle and by right or wrong; empty bins are left out."""
    rows = []
    for needle, where in (("shown", probes.shown), ("not shown", ~probes.shown)):
        for answer, good in (("right", probes.right), ("wrong", ~probes.right)):
            counts, _ = np.histogram(np.minimum(probes.signals["entropy"][where & good], EDGES[-1]), EDGES)
            rows += [
                {**setting, "needle": needle, "answer": answer, "from": low, "to": high, "answers": int(count)}
                for low, high, count in zip(EDGES[:-1].tolist(), EDGES[1:].tolist(), counts, strict=True)
                if count
            ]
    return rows


def draw(summary: Sequence[Row], bins: Sequence[Row]) -> Figure:
    """Draws histograms of entropy: a row of panels per opacity, a column per group size with and without needle."""
    opacities = list(dict.fromkeys(one["opacity"] for one in summary))
    sizes = list(dict.fromkeys(one["group_frames"] for one in summary))
    panels = [(size, needle) for needle in ("shown", "not shown") for size in sizes]
    figure = Figure(figsize=(3.1 * len(panels), 2.7 * len(opacities)), dpi=90, layout="constrained")
    axes = figure.subplots(len(opacities), len(panels), sharex=True, sharey=True, squeeze=False)
    for i, opacity in enumerate(opacities):
        for j, (size, needle) in enumerate(panels):
            chosen = {"opacity": opacity, "group_frames": size, "needle": needle}
            of = next(one for one in summary if _matches(one, chosen))
            base = np.zeros(len(EDGES) - 1)
            for answer, color in (("right", RIGHT), ("wrong", WRONG)):
                heights = np.zeros(len(EDGES) - 1)
                for one in bins:
                    if _matches(one, {**chosen, "answer": answer}):
                        heights[int(np.abs(EDGES[:-1] - one["from"]).argmin())] = one["answers"] / of["answers"]
                count, median = round(heights.sum() * of["answers"]), of[f"median_{answer}"]
                label = f"{answer}: {count:,}" + ("" if median is None else f", median {median:.2f}")
                axes[i, j].bar(EDGES[:-1], heights, EDGES[1], bottom=base, align="edge", color=color, label=label)
                base += heights
            axes[i, j].axvline(np.log(4), color="#444444", linestyle=":", linewidth=1)
            axes[i, j].legend(fontsize=7, loc="upper center")
            if i == 0:
                axes[i, j].set_title(f"{size} frames, needle {needle}", fontsize=10)
            if j == 0:
                axes[i, j].set_ylabel(f"needle opacity {opacity:g}\nshare of answers")
            if i == len(opacities) - 1:
                axes[i, j].set_xlabel("response entropy, nats")
    figure.suptitle("Entropy of a group's own answer, stacked (dotted: ln 4, a guess among four options)", fontsize=10)
    return figure


def _matches(one: Row, chosen: Row) -> bool:
    return all(one[key] == value for key, value in chosen.items())


def table(summary: Sequence[Row]) -> str:
    """Returns the summary as a Markdown table."""
    columns = ("opacity", "group", "needle", "answers", "right [95 %]", "median right", "median wrong", "AUROC [95 %]")
    return markdown(
        columns,
        [
            [
                one["opacity"],
                f"{one['group_frames']} frames",
                one["needle"],
                f"{one['answers']:,}",
                interval(one),
                _number(one["median_right"]),
                _number(one["median_wrong"]),
                interval(one, "auroc"),
            ]
            for one in summary
        ],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main(given: list[str]) -> None:
    """Runs all settings, writes their numbers, draws them and prints the table."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    frames, videos, seed = (int(chosen[key]) for key in ("frames", "videos", "seed"))
    folder, folders = Path(chosen["folder"]), []
    summary: list[dict[str, Any]] = []
    bins: list[dict[str, Any]] = []
    with composing():
        for opacity in chosen["opacity"].split(","):
            for ticks in numbers(chosen["group_ticks"]):
                overrides = row(opacity, ticks, frames, videos, seed)
                folders.append(run(overrides, f"opacity {opacity}, groups of {ticks} ticks", record=True))
                probes = record_run(folders[-1], overrides)
                setting = {"opacity": float(opacity), "group_frames": 2 * ticks}
                summary += figures(probes, **setting)
                bins += histogram(probes, **setting)
    write(folder / f"{NAME}.csv", summary)
    write(folder / f"{NAME}_histogram.csv", bins)
    save(draw(read(folder / f"{NAME}.csv"), read(folder / f"{NAME}_histogram.csv")), folder / f"{NAME}.png")
    print(f"{table(read(folder / f'{NAME}.csv'))}\n\ncommit {commits(folders)}")


if __name__ == "__main__":
    main(sys.argv[1:])
