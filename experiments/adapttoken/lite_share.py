"""How much of a video adapttoken_agreement must look at before it may stop.

    python -m experiments.adapttoken.lite_share entropies=0.1,0.8 groups=1,2,3 frames=1024 videos=20 seed=1

Accuracy against the share of groups visited, as the stopping rule `agreement` is swept (entropy below which a group
counts as certain, certain groups that must agree), in three orders, against looking at everything. All cells replay the
probes of one recorded run per setting. Writes lite_share.png and lite_share.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.common import (
    CHANCE,
    RESULTS,
    Row,
    arguments,
    chance_line,
    commits,
    compare,
    composing,
    interval,
    markdown,
    numbers,
    read,
    replay,
    run,
    save,
    with_holm,
    without,
    write,
)

NAME = "lite_share"
NEVER = "never"
SETTINGS = {
    "attribute, opacity 0.08": ["benchmark.split=attribute", "benchmark.opacity=0.08"],
    "two_evidence": ["benchmark.split=two_evidence", "backbone=lab_hard"],
    "conjunction": ["benchmark.split=conjunction", "backbone=lab_hard"],
}
ORDERS = {"natural": "#4477aa", "van_der_corput": "#ddaa33", "upper_confidence": "#1b7f5c"}
MARKERS = "oDs^vP"  # one per number of certain groups
LEAD = 2  # of the preset; a single group cannot lead by more than one
DEFAULTS = {
    "entropies": "0.1,0.8",
    "groups": "1,2,3",
    "frames": "1024",
    "videos": "20",
    "seed": "1",
    "folder": str(RESULTS),
}
MEANINGS = {
    "entropies": "nats; a group whose entropy is at or below counts as certain",
    "groups": "certain groups with one answer that are enough to stop",
}


def cells(entropies: Sequence[str], groups: Sequence[int]) -> dict[str, list[str]]:
    """Returns the overrides of every stopping rule in every order, by name."""
    return {
        f"{order} {entropy} {count}": [
            "preset=adapttoken_agreement",
            f"scheduler={order}",
            f"stopping.entropy={entropy}",
            f"stopping.groups={count}",
            f"stopping.lead={min(LEAD, count)}",
        ]
        for order in ORDERS
        for entropy in entropies
        for count in groups
    }


def measure(
    setting: str, swept: dict[str, list[str]], frames: int, videos: int, seed: int
) -> tuple[list[dict[str, Any]], list[Path]]:
    """Returns one row per stopping rule and order in one setting, and the folders of their runs.

    The first row is the run that looks at everything.
    """
    common = [
        "benchmark=needle",
        *SETTINGS[setting],
        f"benchmark.frames={frames}",
        f"benchmark.videos={videos}",
        f"seed={seed}",
    ]
    recording = run(["preset=adapttoken", *common], f"{setting}  recorded", record=True)
    folders = {NEVER: recording}
    for name, overrides in swept.items():
        folders[name] = replay(recording, [*overrides, *common], f"{setting}  {name}")
    rows = []
    for row in compare(folders, NEVER, setting=setting):
        order, entropy, groups = row["run"].split() if row["run"] != NEVER else (NEVER, None, None)
        named = {"setting": setting, "order": order, "entropy": entropy, "groups": groups}
        rows.append({**named, **row})
    return without(rows, "run", "seconds"), list(folders.values())


def draw(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over the share of groups visited, one panel per setting.

    Colour stands for the order, the marker for how many certain groups must agree. Its size grows with the entropy that
    still counts as certain.
    """
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    entropies = sorted({row["entropy"] for row in rows if row["entropy"] is not None})
    counts = sorted({row["groups"] for row in rows if row["groups"] is not None})
    figure = Figure(figsize=(4.2 * len(settings), 4.6), dpi=90, layout="constrained")
    panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
    for axes, setting in zip(panels, settings, strict=True):
        here = [row for row in rows if row["setting"] == setting]
        everything = next(row for row in here if row["order"] == NEVER)
        axes.axhline(everything["accuracy"], color="#444444", linewidth=1, label="every group looked at")
        axes.axhspan(everything["low"], everything["high"], color="#444444", alpha=0.08, linewidth=0)
        for row in (row for row in here if row["order"] != NEVER):
            axes.errorbar(
                row["groups_visited"],
                row["accuracy"],
                [[row["accuracy"] - row["low"]], [row["high"] - row["accuracy"]]],
                color=ORDERS[row["order"]],
                marker=MARKERS[counts.index(row["groups"])],
                markersize=4 + 2 * entropies.index(row["entropy"]),
                elinewidth=0.6,
                alpha=0.75,
            )
        chance_line(axes, CHANCE)
        axes.set(title=setting, xlabel="groups visited, share", xlim=(0, 1.03), ylim=(0, 1.03))
    panels[0].set_ylabel("accuracy, 95 % interval over videos")
    handles, labels = panels[0].get_legend_handles_labels()
    for order, color in ORDERS.items():
        handles += panels[0].plot([], [], "o", color=color)
        labels.append(order.replace("_", " "))
    for count in counts:
        handles += panels[0].plot([], [], MARKERS[counts.index(count)], color="#777777")
        labels.append(f"{count} certain group{'s agree' if count > 1 else ''}")
    for place, entropy in enumerate(entropies):
        handles += panels[0].plot([], [], "o", color="#cccccc", markersize=4 + 2 * place)
        labels.append(f"certain: at most {entropy:g} nats")
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def table(rows: Sequence[Row], setting: str) -> str:
    """Returns a Markdown table of one setting: a line per stopping rule, a column per order.

    A cell has the share of groups visited and the difference to looking at everything.
    """
    here = [row for row in rows if row["setting"] == setting]
    at = {(row["order"], row["entropy"], row["groups"]): row for row in here}
    rules = dict.fromkeys((row["entropy"], row["groups"]) for row in here if row["order"] != NEVER)
    return markdown(
        ["certain at most, nats", "groups", *(order.replace("_", " ") for order in ORDERS)],
        [[*rule, *(_both(at[order, *rule]) for order in ORDERS)] for rule in rules],
    )


def _both(row: Row) -> str:
    return f"{row['groups_visited']:.0%}: {interval(row, 'difference')}"


def main(given: list[str]) -> None:
    """Runs all settings, writes their numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    frames, videos, seed = (int(chosen[key]) for key in ("frames", "videos", "seed"))
    swept = cells(chosen["entropies"].split(","), numbers(chosen["groups"]))
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    rows: list[dict[str, Any]] = []
    folders: list[Path] = []
    with composing():
        for setting in SETTINGS:
            found, used = measure(setting, swept, frames, videos, seed)
            rows, folders = rows + found, folders + used
            write(path, with_holm(rows))
    kept = read(path)
    save(draw(kept), path.with_suffix(".png"))
    for row in kept:
        if row["order"] == NEVER:
            print(f"{row['setting']}: every group looked at {interval(row)}\n\n{table(kept, row['setting'])}\n")
    print(f"commit {commits(folders)}")


if __name__ == "__main__":
    main(sys.argv[1:])
