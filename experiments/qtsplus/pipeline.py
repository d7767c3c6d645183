"""What QTSplus keeps of a video and what it is worth, against selectors that look at the same tokens.

    python -m experiments.qtsplus.pipeline kept=52 videos=40 seed=5

Videos of 256 frames are 512 visual tokens, and 57 of them the 89 % compression of the paper (arXiv 2511.11910). Every
row is a composed configuration, run like `sieve eval` runs it; all see the same videos and questions. `attention` is
FlexSelect's scorer over the whole video: it needs a pass of the language model over all tokens, which QTSplus does
not. Needles of `attribute` have 15 % opacity. Writes qtsplus_pipeline.csv into docs/results (key: folder).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.common import (
    RESULTS,
    Row,
    arguments,
    commits,
    compare,
    composing,
    interval,
    markdown,
    numbers,
    read,
    run,
    with_holm,
    without,
    write,
)

NAME = "qtsplus_pipeline"
REFERENCE = "qtsplus"
FRAMES, TOKENS = 256, 512
OPACITY = {"attribute": 0.15}
ROWS = ("all tokens", "uniform", "random", "attention", "qtsplus, untrained", "qtsplus")
DEFAULTS = {
    "kept": "52",
    "splits": "attribute,conjunction,two_evidence",
    "videos": "40",
    "seed": "5",
    "backbone": "lab",
    "folder": str(RESULTS),
}
MEANINGS = {
    "kept": "visual tokens kept of 512",
    "videos": "number of videos of each split",
}


def overrides_of(kept: int) -> dict[str, list[str]]:
    """Returns the overrides with which each row selects `kept` of the tokens."""
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
    """Returns one row per number kept and way to select, on one split."""
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
        for name, words in overrides_of(kept).items():
            folders[name] = run([*words, *common], f"{split}  {kept} kept  {name}")
        rows += [{**row, "folder": folders[row["run"]]} for row in compare(folders, REFERENCE, split=split, kept=kept)]
    return rows


def tables(rows: Sequence[Row], split: str) -> str:
    """Returns two Markdown tables of one split.

    They show the accuracy of every row at every number kept, then QTSplus minus each of the others.
    """
    here = [row for row in rows if row["split"] == split]
    kept = sorted({row["kept"] for row in here})
    cell = {(row["run"], row["kept"]): row for row in here}
    head = ["", *(f"{number} kept" for number in kept)]
    accuracy = [[name, *(interval(cell[name, number]) for number in kept)] for name in ROWS]
    minus = [
        [f"{name} minus {REFERENCE}", *(interval(cell[name, number], "difference") for number in kept)]
        for name in ROWS
        if name != REFERENCE
    ]
    return f"{markdown(head, accuracy)}\n\n{markdown(head, minus)}"


def main(given: list[str]) -> None:
    """Runs all rows, writes their numbers and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    with composing():
        rows = [row for split in chosen["splits"].split(",") for row in measure(split, chosen)]
    path = Path(chosen["folder"]) / f"{NAME}.csv"
    write(path, without(with_holm(rows), "folder"))
    kept = read(path)
    for split in chosen["splits"].split(","):
        print(f"{split}\n\n{tables(kept, split)}\n")
    print(f"commit {commits([row['folder'] for row in rows])}")


if __name__ == "__main__":
    main(sys.argv[1:])
