"""Whether the group in which the model is most certain is one that shows the needle.

    python -m experiments.adapttoken.entropy_of_groups frames=1024 videos=20 opacity=1.0,0.08 seed=1

The counterpart of AdaptToken's Figure 4: the groups of every question, ranked by entropy; and for entropy, margin,
variance and log-probability how often the most certain group is one with evidence. Reads the same runs as
entropy_of_answers (groups of 8 ticks). Writes entropy_of_groups.png, .csv, entropy_of_groups_histogram.csv, _ranked.csv
and _threshold.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.adapttoken.probes import SIGNALS, Probed, record_run, row
from experiments.common import (
    RESULTS,
    Row,
    arguments,
    commits,
    composing,
    doubling,
    interval,
    markdown,
    read,
    run,
    save,
    write,
)
from framework.evaluation.association import auroc_interval
from framework.evaluation.statistics import mean_interval

NAME = "entropy_of_groups"
PARTS = ("", "_histogram", "_ranked", "_threshold")
DEFAULTS = {"frames": "1024", "videos": "20", "opacity": "1.0,0.08", "seed": "1", "folder": str(RESULTS)}
TICKS = 8
EDGES = np.linspace(0, 1.5, 31)  # nats; ln 4 = 1.386
THRESHOLDS = (0.05, 0.1, 0.2, 0.5, 1.0, 1.3)  # nats
RESAMPLES = 500
FLOOR = 1e-3  # groups per question, the lowest that the logarithmic axis shows
KINDS = {
    "needle, right": "#1b7f5c",
    "needle, wrong": "#ddaa33",
    "no needle, right by luck": "#aaaaaa",
    "no needle, wrong": "#ee6677",
}


def per_question(probes: Probed, values: np.ndarray) -> list[np.ndarray]:
    """Splits `values` [P] into one array per question, each with the values of that question's groups."""
    names = np.array(probes.question)
    return [values[names == name] for name in dict.fromkeys(probes.question)]


def by_signal(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Returns one row per signal: how well it finds groups that show the needle.

    A row has the share of questions whose most certain group shows the needle, and the share where that group is right.
    It also has the AUROC of groups with the needle against groups without it, over all questions.
    """
    videos = [video[0] for video in per_question(probes, np.array(probes.video))]
    rows = []
    for name, sign in SIGNALS.items():
        certainty = sign * probes.signals[name]
        best = [int(values.argmax()) for values in per_question(probes, certainty)]
        shares = [
            [float(values[place]) for values, place in zip(per_question(probes, of), best, strict=True)]
            for of in (probes.shown, probes.right)
        ]
        shown, right = (mean_interval(share, videos, RESAMPLES) for share in shares)
        auroc = auroc_interval(certainty.tolist(), probes.shown.tolist(), probes.video, RESAMPLES, 0)
        rows.append(
            {
                **setting,
                "signal": name,
                "questions": len(best),
                "groups": len(probes),
                "shown": shown.value,
                "shown_low": shown.low,
                "shown_high": shown.high,
                "right": right.value,
                "right_low": right.low,
                "right_high": right.high,
                "auroc": auroc.value,
                "auroc_low": auroc.low,
                "auroc_high": auroc.high,
            }
        )
    return rows


def kinds(probes: Probed) -> list[np.ndarray]:
    """Returns one mask, bool [P], for each of KINDS."""
    shown, right = probes.shown, probes.right
    return [shown & right, shown & ~right, ~shown & right, ~shown & ~right]


def histogram(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Counts the groups in each bin of entropy, by kind; empty bins are left out."""
    rows = []
    for kind, where in zip(KINDS, kinds(probes), strict=True):
        counts, _ = np.histogram(np.minimum(probes.signals["entropy"][where], EDGES[-1]), EDGES)
        rows += [
            {**setting, "kind": kind, "from": low, "to": high, "groups": int(count)}
            for low, high, count in zip(EDGES[:-1].tolist(), EDGES[1:].tolist(), counts, strict=True)
            if count
        ]
    return rows


def rank(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Ranks the groups of every question from the lowest entropy up and returns one row per rank.

    A row has the spread of entropy over questions (10, 50 and 90 %). It also has the share of questions whose group at
    this rank shows the needle, and the share whose group is right.
    """
    entropies = per_question(probes, probes.signals["entropy"])
    orders = [values.argsort(kind="stable") for values in entropies]
    entropy, shown, right = (
        np.stack([values[order] for values, order in zip(per_question(probes, of), orders, strict=True)])
        for of in (probes.signals["entropy"], probes.shown, probes.right)
    )  # [Q, G] each
    low, middle, high = np.quantile(entropy, (0.1, 0.5, 0.9), axis=0)
    return [
        {
            **setting,
            "rank": rank + 1,
            "entropy_10": float(low[rank]),
            "entropy_50": float(middle[rank]),
            "entropy_90": float(high[rank]),
            "shown": float(shown[:, rank].mean()),
            "right": float(right[:, rank].mean()),
        }
        for rank in range(entropy.shape[1])
    ]


def thresholds(probes: Probed, **setting: Any) -> list[dict[str, Any]]:
    """Returns one row per threshold (nats) about the groups whose entropy is at or below it.

    A row has their share of all groups, and which shares of them show the needle and are right. `found` is the share of
    the groups with the needle that lie below.
    """
    rows = []
    for limit in THRESHOLDS:
        below = probes.signals["entropy"] <= limit
        count = int(below.sum())
        rows.append(
            {
                **setting,
                "threshold": limit,
                "groups": count,
                "share": count / len(probes),
                "shown": float(probes.shown[below].mean()) if count else None,
                "right": float(probes.right[below].mean()) if count else None,
                "found": float(below[probes.shown].mean()),
            }
        )
    return rows


def draw(signals: Sequence[Row], bins: Sequence[Row], ranks: Sequence[Row]) -> Figure:
    """Draws three panels per opacity: entropies of the groups by kind, ranked entropies, what lies at each rank."""
    opacities = list(dict.fromkeys(one["opacity"] for one in signals))
    figure = Figure(figsize=(12, 3.1 * len(opacities)), dpi=80, layout="constrained")
    axes = figure.subplots(len(opacities), 3, squeeze=False)
    for (left, middle, right), opacity in zip(axes, opacities, strict=True):
        questions = next(one["questions"] for one in signals if one["opacity"] == opacity)
        _histogram(left, [one for one in bins if one["opacity"] == opacity], questions)
        mine = [one for one in ranks if one["opacity"] == opacity]
        _ranked(middle, mine)
        _at_rank(right, mine)
        left.set_ylabel(f"needle opacity {opacity:g}\ngroups per question")
    for one, title in zip(axes[0], ("Groups by entropy", "Entropy by rank", "What lies at each rank"), strict=True):
        one.set_title(title, fontsize=10)
    return figure


def _histogram(axes: Axes, bins: Sequence[Row], questions: int) -> None:
    for kind, color in KINDS.items():
        heights = np.zeros(len(EDGES) - 1)
        for one in bins:
            if one["kind"] == kind:
                heights[int(np.abs(EDGES[:-1] - one["from"]).argmin())] = one["groups"] / questions
        label = f"{kind}: {round(heights.sum() * questions):,}"
        axes.stairs(np.maximum(heights, FLOOR), EDGES, color=color, label=label, linewidth=1.5)
    axes.set(xlabel="response entropy of a group, nats", yscale="log", ylim=(FLOOR, 1e4))
    axes.legend(fontsize=7, loc="upper left")


def _ranked(axes: Axes, ranks: Sequence[Row]) -> None:
    places = [one["rank"] for one in ranks]
    axes.plot(places, [one["entropy_50"] for one in ranks], color="#4477aa", label="median over questions")
    low, high = ([one[f"entropy_{q}"] for one in ranks] for q in (10, 90))
    axes.fill_between(places, low, high, color="#4477aa", alpha=0.2, linewidth=0, label="10 to 90 % of questions")
    axes.set(xlabel="rank of the group, 1 = lowest entropy", ylabel="entropy, nats", ylim=(0, 1.5))
    doubling(axes, [2**power for power in range(len(places).bit_length())])
    axes.legend(fontsize=7, loc="lower right")


def _at_rank(axes: Axes, ranks: Sequence[Row]) -> None:
    places = [one["rank"] for one in ranks]
    axes.plot(places, [one["shown"] for one in ranks], color="#1b7f5c", label="the group shows the needle")
    axes.plot(places, [one["right"] for one in ranks], color="#4477aa", linestyle="--", label="the group answers right")
    axes.axhline(0.25, color="#444444", linestyle=":", linewidth=1, label="chance of a right answer, 0.25")
    axes.set(xlabel="rank of the group, 1 = lowest entropy", ylabel="share of questions", ylim=(0, 1.03))
    doubling(axes, [2**power for power in range(len(places).bit_length())])
    axes.legend(fontsize=7, loc="upper right")


def signal_table(signals: Sequence[Row]) -> str:
    """Returns the rows of `by_signal` as a Markdown table."""
    columns = (
        "opacity",
        "signal",
        "best group shows the needle [95 %]",
        "best group answers right [95 %]",
        "AUROC, needle against none [95 %]",
    )
    return markdown(
        columns,
        [
            [one["opacity"], one["signal"], *(interval(one, name) for name in ("shown", "right", "auroc"))]
            for one in signals
        ],
    )


def threshold_table(rows: Sequence[Row]) -> str:
    """Returns the rows of `thresholds` as a Markdown table."""
    columns = (
        "opacity",
        "entropy at most, nats",
        "groups",
        "share of all",
        "of these show the needle",
        "of these right",
        "groups with the needle found",
    )
    return markdown(
        columns,
        [
            [
                one["opacity"],
                one["threshold"],
                f"{one['groups']:,}",
                f"{one['share']:.1%}",
                *("" if one[key] is None else f"{one[key]:.1%}" for key in ("shown", "right", "found")),
            ]
            for one in rows
        ],
    )


def main(given: list[str]) -> None:
    """Runs all settings, writes their numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__)
    frames, videos, seed = (int(chosen[key]) for key in ("frames", "videos", "seed"))
    folder, folders = Path(chosen["folder"]), []
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    with composing():
        for opacity in chosen["opacity"].split(","):
            overrides = row(opacity, TICKS, frames, videos, seed)
            folders.append(run(overrides, f"opacity {opacity}, groups of {TICKS} ticks", record=True))
            probes = record_run(folders[-1], overrides)
            for part, measure in zip(PARTS, (by_signal, histogram, rank, thresholds), strict=True):
                found[part] += measure(probes, opacity=float(opacity))
    for part, rows in found.items():
        write(folder / f"{NAME}{part}.csv", rows)
    signals, bins, ranks, limits = (read(folder / f"{NAME}{part}.csv") for part in PARTS)
    save(draw(signals, bins, ranks), folder / f"{NAME}.png")
    print(f"{signal_table(signals)}\n\n{threshold_table(limits)}\n\ncommit {commits(folders)}")


if __name__ == "__main__":
    main(sys.argv[1:])
