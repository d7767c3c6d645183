"""Which selector finds a needle in a long video, and at what cost? The table of docs/results/needle.md.

    python -m experiments.adapttoken.needle frames=256,1024,4096 videos=40 seed=1

Every row is a composed configuration, run like `sieve eval` runs it, into the same folder; a second call goes on where
the first stopped. All rows of one length see the same rendered videos and questions, so their differences are paired.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from experiments.common import Row, arguments, compare, composing, interval, markdown, numbers, run

ROWS = {
    "uniform": ["preset=uniform"],
    "random": ["preset=random"],
    "flexselect": ["preset=flexselect"],
    "equal budget": ["preset=adapttoken", "allocator=equal"],
    "adapttoken": ["preset=adapttoken"],
    "adapttoken, tau = 2": ["preset=adapttoken", "allocator.temperature=2.0"],
    "adapttoken, contiguous": ["preset=adapttoken", "splitter=contiguous"],
    "adapttoken_agreement": ["preset=adapttoken_agreement"],
    "adapttoken_agreement, upper confidence": ["preset=adapttoken_agreement", "scheduler=upper_confidence"],
    "vote": ["preset=vote"],
}
REFERENCE = "adapttoken"
COLUMNS = (
    "",
    "accuracy [95 %]",
    f"minus {REFERENCE} [95 %]",
    "McNemar p",
    "groups visited",
    "tokens kept",
    "seconds",
)
DEFAULTS = {"frames": "256,1024,4096", "videos": "40", "seed": "1"}
MEANINGS = {"frames": "frames of a video, one table for each length"}


def measure(frames: int, videos: int, seed: int) -> list[dict[str, Any]]:
    """Runs all rows of the table at one length and returns how they compare."""
    common = ["benchmark=needle", f"benchmark.videos={videos}", f"benchmark.frames={frames}", f"seed={seed}"]
    folders = {row: run([*chosen, *common], f"{frames:>6} frames  {row}") for row, chosen in ROWS.items()}
    return compare(folders, REFERENCE)


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a Markdown table.

    Its columns are accuracy, paired difference to the reference, McNemar's p, share of groups visited, tokens kept and
    seconds.
    """
    return markdown(
        COLUMNS,
        [
            [
                row["run"],
                interval(row),
                interval(row, "difference"),
                "" if row["p"] is None else f"{row['p']:.2g}",
                f"{row['groups_visited']:.1%}",
                f"{row['tokens_kept']:.1f}",
                f"{row['seconds']:.2f}",
            ]
            for row in rows
        ],
    )


def main(given: list[str]) -> None:
    """Runs all rows at all lengths and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    videos, seed = int(chosen["videos"]), int(chosen["seed"])
    with composing():
        for frames in numbers(chosen["frames"]):
            rows = measure(frames, videos, seed)
            print(f"\n### {frames:,} frames, {videos} videos, seed {seed}\n\n{table(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
