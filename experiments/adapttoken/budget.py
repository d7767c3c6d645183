"""How many visual tokens an answer needs, and which preset spends them best.

    python -m experiments.adapttoken.budget budgets=4,8,16,32,64,128 opacity=1.0,0.08 frames=1024 videos=20 seed=1

Accuracy of every preset against the budget, on opaque needles and on faint ones. What ranks tokens from what it saw of
the video is recorded once per opacity and replayed for every budget; adapttoken_agreement replays AdaptToken's probes,
and so does `vote`, which reads no scores and keeps no tokens: its one run stands at every budget. Writes budget.png and
budget.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.common import (
    RESULTS,
    STYLES,
    Row,
    arguments,
    chance_line,
    commits,
    compare,
    composing,
    curve,
    doubling,
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

NAME = "budget"
REFERENCE = "adapttoken"
RECORDED = ("flexselect", "high_entropy", REFERENCE)
NOT_WRITTEN = ("seconds", "folder")  # replays take no time that means anything
VOTE = ["preset=vote", "scorer=attention"]  # AdaptToken's scorer, so that its probes serve
DEFAULTS = {
    "budgets": "4,8,16,32,64,128",
    "opacity": "1.0,0.08",
    "frames": "1024",
    "videos": "20",
    "seed": "1",
    "folder": str(RESULTS),
}
MEANINGS = {
    "budgets": "visual tokens kept in total, one row of the table for each preset and number",
}


def measure(budgets: Sequence[int], opacity: str, frames: int, videos: int, seed: int) -> list[dict[str, Any]]:
    """Returns one row per budget and preset at one opacity, with the folder of its run."""
    common = [
        "benchmark=needle",
        f"benchmark.frames={frames}",
        f"benchmark.videos={videos}",
        f"benchmark.opacity={opacity}",
        f"seed={seed}",
    ]
    recorded = {
        preset: run([f"preset={preset}", *common], f"opacity {opacity}  {preset}, recorded", record=True)
        for preset in RECORDED
    }
    recorded["adapttoken_agreement"] = recorded[REFERENCE]
    vote = replay(recorded[REFERENCE], [*VOTE, *common], f"opacity {opacity}  vote")
    rows = []
    for budget in budgets:
        folders = {"vote": vote}
        for preset in (preset for preset in STYLES if preset != "vote"):
            overrides = [f"preset={preset}", *common, f"budget={budget}"]
            title = f"opacity {opacity}  {budget} tokens  {preset}"
            probes = recorded.get(preset)
            folders[preset] = replay(probes, overrides, title) if probes else run(overrides, title)
        setting = {"opacity": float(opacity), "budget": budget}
        ordered = {preset: folders[preset] for preset in STYLES}
        rows += [{**row, "folder": folders[row["run"]]} for row in compare(ordered, REFERENCE, **setting)]
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over the budget, one panel per opacity."""
    opacities = list(dict.fromkeys(row["opacity"] for row in rows))
    figure = Figure(figsize=(5.2 * len(opacities), 4.2), dpi=90, layout="constrained")
    panels = figure.subplots(1, len(opacities), sharey=True, squeeze=False)[0]
    for axes, opacity in zip(panels, opacities, strict=True):
        here = [row for row in rows if row["opacity"] == opacity]
        for preset in STYLES:
            curve(axes, [row for row in here if row["run"] == preset], "budget", preset)
        chance_line(axes)
        doubling(axes, sorted({row["budget"] for row in here}))
        axes.set(title=f"needle opacity {opacity:g}", xlabel="budget, visual tokens", ylim=(0, 1.03))
    panels[0].set_ylabel("accuracy, 95 % interval over videos")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def table(rows: Sequence[Row], opacity: float) -> str:
    """Returns a Markdown table of accuracies at one opacity: presets down, budgets across."""
    here = [row for row in rows if row["opacity"] == opacity]
    budgets = sorted({row["budget"] for row in here})
    cells = {(row["run"], row["budget"]): interval(row) for row in here}
    return markdown(
        ["", *(f"{budget} tokens" for budget in budgets)],
        [[preset, *(cells[preset, budget] for budget in budgets)] for preset in STYLES],
    )


def main(given: list[str]) -> None:
    """Runs all rows, writes their numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    frames, videos, seed = (int(chosen[key]) for key in ("frames", "videos", "seed"))
    rows: list[dict[str, Any]] = []
    with composing():
        for opacity in chosen["opacity"].split(","):
            rows += measure(numbers(chosen["budgets"]), opacity, frames, videos, seed)
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    write(path, without(with_holm(rows), *NOT_WRITTEN))
    kept = read(path)
    save(draw(kept), path.with_suffix(".png"))
    for opacity in dict.fromkeys(row["opacity"] for row in kept):
        print(f"needles of {opacity:.0%} opacity\n\n{table(kept, opacity)}\n")
    print(f"commit {commits([row['folder'] for row in rows])}")


if __name__ == "__main__":
    main(sys.argv[1:])
