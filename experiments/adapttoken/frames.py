"""Which presets hold their accuracy as a video grows to 10,000 frames, on the same number of tokens.

    python -m experiments.adapttoken.frames frames=64,256,1024,4096,10000 videos=20,20,20,16,8 budget=32 seed=1

Accuracy of five presets against the length of the video. adapttoken_agreement replays AdaptToken's probes. Writes
frames.png and frames.csv into docs/results (key: folder).
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

NAME = "frames"
REFERENCE = "adapttoken"
PRESETS = ("uniform", "random", "flexselect", REFERENCE)
NOT_WRITTEN = ("seconds", "folder")  # replays take no time that means anything
AGREEMENT = "adapttoken_agreement"
DEFAULTS = {
    "frames": "64,256,1024,4096,10000",
    "videos": "20,20,20,16,8",
    "budget": "32",
    "seed": "1",
    "folder": str(RESULTS),
}
MEANINGS = {
    "frames": "frames of a video, one length after another",
    "videos": "number of videos at each length, in the same order",
    "budget": "visual tokens kept in total",
}


def measure(frames: int, videos: int, budget: int, seed: int) -> list[dict[str, Any]]:
    """Returns one row per preset at one length, with the folder of its run."""
    common = [
        "benchmark=needle",
        f"benchmark.frames={frames}",
        f"benchmark.videos={videos}",
        f"budget={budget}",
        f"seed={seed}",
    ]
    folders = {
        preset: run([f"preset={preset}", *common], f"{frames:>6} frames  {preset}", record=preset == REFERENCE)
        for preset in PRESETS
    }
    folders[AGREEMENT] = replay(
        folders[REFERENCE], [f"preset={AGREEMENT}", *common], f"{frames:>6} frames  {AGREEMENT}"
    )
    return [{**row, "folder": folders[row["run"]]} for row in compare(folders, REFERENCE, frames=frames)]


def draw(rows: Sequence[Row]) -> Figure:
    """Draws accuracy over frames, and the share of the groups that adapttoken_agreement visited."""
    lengths = sorted({row["frames"] for row in rows})
    figure = Figure(figsize=(10.5, 4.3), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    for preset in (*PRESETS, AGREEMENT):
        mine = [row for row in rows if row["run"] == preset]
        curve(left, mine, "frames", preset)
    chance_line(left)
    left.set(xlabel="frames, 2 per second", ylabel="accuracy, 95 % interval over videos", ylim=(0, 1.03))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    early = sorted((row for row in rows if row["run"] == AGREEMENT), key=lambda row: row["frames"])
    right.plot([row["frames"] for row in early], [row["groups_visited"] for row in early], "o-", color="#1b7f5c")
    right.set(xlabel="frames, 2 per second", ylabel="groups visited by adapttoken_agreement", ylim=(0, 1.03))
    for axes in (left, right):
        doubling(axes, lengths)
    return figure


def table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of accuracies: presets down, lengths across.

    It also says how many videos and questions there were, and which share of the groups adapttoken_agreement visited.
    """
    lengths = sorted({row["frames"] for row in rows})
    at = {(row["run"], row["frames"]): row for row in rows}
    of = [at[REFERENCE, length] for length in lengths]
    return markdown(
        ["", *(f"{length:,} frames" for length in lengths)],
        [
            ["videos, questions", *(f"{row['videos']}, {row['n']}" for row in of)],
            *([preset, *(interval(at[preset, length]) for length in lengths)] for preset in (*PRESETS, AGREEMENT)),
            [
                "groups that adapttoken_agreement visited",
                *(f"{at[AGREEMENT, length]['groups_visited']:.0%}" for length in lengths),
            ],
        ],
    )


def differences(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of paired differences to AdaptToken, with Holm's p."""
    return markdown(
        ["frames", "", f"minus {REFERENCE} [95 %]", "McNemar p", "p, Holm"],
        [
            [f"{row['frames']:,}", row["run"], interval(row, "difference"), f"{row['p']:.2g}", f"{row['p_holm']:.2g}"]
            for row in rows
            if row["p"] is not None
        ],
    )


def main(given: list[str]) -> None:
    """Runs all lengths, writes their numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    budget, seed = int(chosen["budget"]), int(chosen["seed"])
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    rows: list[dict[str, Any]] = []
    with composing():
        for frames, videos in zip(numbers(chosen["frames"]), numbers(chosen["videos"]), strict=True):
            rows += measure(frames, videos, budget, seed)
            write(path, without(with_holm(rows), *NOT_WRITTEN))
    kept = read(path)
    save(draw(kept), path.with_suffix(".png"))
    print(f"{table(kept)}\n\n{differences(kept)}\n\ncommit {commits([row['folder'] for row in rows])}")


if __name__ == "__main__":
    main(sys.argv[1:])
