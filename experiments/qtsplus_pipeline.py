"""What QTSplus keeps of a video and what it is worth, against selectors that look at the same tokens.

    python -m experiments.qtsplus_pipeline kept=52 videos=40 seed=5

Videos of 256 frames are 512 visual tokens, and 57 of them the 89 % compression of the paper (arXiv 2511.11910). Every
row is a composed configuration, run like `sieve eval` runs it; all see the same videos and questions. `attention` is
FlexSelect's scorer over the whole video: it needs a pass of the language model over all tokens, which QTSplus does
not. Needles of `attribute` have 15 % opacity. Writes qtsplus_pipeline.png and qtsplus_pipeline.csv into docs/results
(key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.common import (
    RESULTS,
    Row,
    arguments,
    chance_line,
    commits,
    compared,
    composing,
    doubling,
    interval,
    markdown,
    numbers,
    read,
    run,
    save,
    with_holm,
    without,
    write,
)

NAME = "qtsplus_pipeline"
REFERENCE = "qtsplus"
FRAMES, TOKENS = 256, 512
OPACITY = {"attribute": 0.15}
COLOURS = {
    "all tokens": "#444444",
    "uniform": "#999999",
    "random": "#bbaa33",
    "attention": "#4477aa",
    "qtsplus, untrained": "#ee6677",
    "qtsplus": "#1b7f5c",
}
DEFAULTS = {
    "kept": "52",
    "splits": "attribute,conjunction,two_evidence",
    "videos": "40",
    "seed": "5",
    "backbone": "lab_subsets",
    "folder": str(RESULTS),
}


def selected(kept: int) -> dict[str, list[str]]:
    """How each row selects `kept` of the tokens."""
    budget, share = f"budget={kept}", f"qtsplus.rho={kept / TOKENS}"
    learned = ["preset=qtsplus", f"budget={TOKENS}", share]
    return {
        "uniform": ["preset=uniform", budget],
        "random": ["preset=random", budget],
        "attention": ["preset=flexselect", "splitter=whole", budget],
        "qtsplus, untrained": [*learned, "qtsplus.checkpoint=random:0"],
        "qtsplus": learned,
    }


def measure(split: str, chosen: dict[str, str]) -> list[dict[str, Any]]:
    """One row per number kept and way to select, on one split."""
    common = [
        f"backbone={chosen['backbone']}",
        "benchmark=needle",
        f"benchmark.split={split}",
        f"benchmark.frames={FRAMES}",
        f"benchmark.opacity={OPACITY.get(split, 1.0)}",
        f"benchmark.videos={chosen['videos']}",
        f"seed={chosen['seed']}",
        "answer_positions=original",
    ]
    everything = run(["preset=random", *common, f"budget={TOKENS}"], f"{split}  all tokens")
    rows = []
    for kept in numbers(chosen["kept"]):
        folders = {"all tokens": everything}
        for name, words in selected(kept).items():
            folders[name] = run([*words, *common], f"{split}  {kept} kept  {name}")
        rows += [{**row, "folder": folders[row["run"]]} for row in compared(folders, REFERENCE, split=split, kept=kept)]
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Accuracy over the number kept, one panel per split."""
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure = Figure(figsize=(4.2 * len(splits), 4.0), dpi=90, layout="constrained")
    panels = figure.subplots(1, len(splits), sharey=True, squeeze=False)[0]
    for axes, split in zip(panels, splits, strict=True):
        for name, colour in COLOURS.items():
            here = [row for row in rows if (row["split"], row["run"]) == (split, name)]
            kept, middle, low, high = ([row[key] for row in here] for key in ("kept", "accuracy", "low", "high"))
            axes.plot(kept, middle, color=colour, marker="o", markersize=4, label=name)
            axes.fill_between(kept, low, high, color=colour, alpha=0.12, linewidth=0)
        chance_line(axes)
        doubling(axes, sorted({row["kept"] for row in rows}))
        axes.set(title=split, xlabel=f"tokens kept of {TOKENS}", ylim=(0, 1.03))
    panels[0].set_ylabel("accuracy, 95 % interval over videos")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def tables(rows: Sequence[Row], split: str) -> str:
    """Markdown: accuracy of every row at every number kept, then QTSplus minus each of the others."""
    here = [row for row in rows if row["split"] == split]
    kept = sorted({row["kept"] for row in here})
    cell = {(row["run"], row["kept"]): row for row in here}
    head = ["", *(f"{number} kept" for number in kept)]
    accuracy = [[name, *(interval(cell[name, number]) for number in kept)] for name in COLOURS]
    minus = [
        [f"{name} minus {REFERENCE}", *(interval(cell[name, number], "difference") for number in kept)]
        for name in COLOURS
        if name != REFERENCE
    ]
    return f"{markdown(head, accuracy)}\n\n{markdown(head, minus)}"


def main(given: list[str]) -> None:
    """Run, write numbers, draw them, print the tables."""
    chosen = arguments(given, DEFAULTS)
    with composing():
        rows = [row for split in chosen["splits"].split(",") for row in measure(split, chosen)]
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    write(path, without(with_holm(rows), "folder"))
    kept = read(path)
    save(draw(kept), path.with_suffix(".png"))
    for split in chosen["splits"].split(","):
        print(f"{split}\n\n{tables(kept, split)}\n")
    print(f"commit {commits([row['folder'] for row in rows])}")


if __name__ == "__main__":
    main(sys.argv[1:])
