"""Which selector finds a needle in a long video, and at what cost? The table of docs/results/needle.md.

    python -m experiments.needle frames=256,1024,4096 videos=40 seed=1

Every row is a composed configuration, run like `sieve eval` runs it, into outputs/needle_table/<frames>/<row>; a second
call goes on where the first stopped. All rows of one length see the same rendered videos and questions, so their
differences are paired.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from framework import plugins
from framework.benchmarks.base import Benchmark
from framework.build import build, build_pipeline
from framework.evaluation.journal import Journal
from framework.evaluation.runner import Runner
from framework.evaluation.statistics import difference_interval, mcnemar, mean_interval
from framework.tracking import NoTracker, claim, register_resolvers

ROWS = {
    "uniform": ["preset=uniform"],
    "random": ["preset=random"],
    "flexselect": ["preset=flexselect"],
    "equal budget": ["preset=adapttoken", "allocator=equal"],
    "adapttoken": ["preset=adapttoken"],
    "adapttoken, tau = 2": ["preset=adapttoken", "allocator.temperature=2.0"],
    "adapttoken, contiguous": ["preset=adapttoken", "splitter=contiguous"],
    "adapttoken_lite": ["preset=adapttoken_lite"],
    "adapttoken_lite, upper confidence": ["preset=adapttoken_lite", "scheduler=upper_confidence"],
    "vote": ["preset=vote"],
}
REFERENCE = "adapttoken"
OUT = Path("outputs/needle_table")


def run(row: str, frames: int, videos: int, seed: int) -> Path:
    """Run one row of the table; its folder."""
    folder = OUT / str(frames) / row.replace(", ", "-").replace(" ", "_").replace("_=_", "")
    overrides = [
        *ROWS[row],
        "benchmark=needle",
        f"benchmark.videos={videos}",
        f"benchmark.frames={frames}",
        f"seed={seed}",
    ]
    cfg = compose(config_name="config", overrides=overrides)
    claim(folder, cfg)
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]

    def watch(done: int, lines: list[dict[str, Any]]) -> None:
        right = sum(line["correct"] for line in lines)
        print(
            f"\r{frames:>6} frames  {row:<32} {done}/{videos} videos  {right:g}/{len(lines)} right",
            end="",
            file=sys.stderr,
        )

    Runner(build_pipeline(cfg), benchmark, folder, NoTracker()).run(watch)
    print(file=sys.stderr)
    return folder


def table(folders: dict[str, Path]) -> list[str]:
    """Markdown rows: accuracy, paired difference to the reference, share of groups visited, tokens kept, seconds."""
    lines = {
        row: {line["id"]: line for line in Journal(folder / "questions.jsonl").lines} for row, folder in folders.items()
    }
    ids = sorted(lines[REFERENCE])
    videos = [lines[REFERENCE][i]["video"] for i in ids]
    reference = [lines[REFERENCE][i]["correct"] for i in ids]
    shown = [
        f"| | accuracy [95 %] | minus {REFERENCE} [95 %] | McNemar p | groups visited | tokens kept | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, folder in folders.items():
        correct = [lines[row][i]["correct"] for i in ids]
        summary = json.loads((folder / "summary.json").read_text())
        versus = ["", ""]
        if row != REFERENCE:
            versus = [
                str(difference_interval(correct, reference, videos)),
                f"{mcnemar(*([bool(c) for c in x] for x in (correct, reference))):.2g}",
            ]
        shown.append(
            f"| {row} | {mean_interval(correct, videos)} | {versus[0]} | {versus[1]} "
            f"| {summary['groups_visited_share']:.1%} | {summary['tokens_kept_mean']:.1f} "
            f"| {summary['seconds_per_question']:.2f} |"
        )
    return shown


def main(arguments: list[str]) -> None:
    """Read `key=value` arguments, run all rows at all lengths, print the tables."""
    given = dict(argument.split("=", 1) for argument in arguments)
    if unknown := set(given) - {"frames", "videos", "seed"}:
        raise SystemExit(f"unknown {sorted(unknown)}; keys: frames=256,1024,4096 videos=40 seed=1")
    videos, seed = int(given.get("videos", "40")), int(given.get("seed", "1"))
    register_resolvers()
    plugins.register()
    with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
        for frames in map(int, given.get("frames", "256,1024,4096").split(",")):
            folders = {row: run(row, frames, videos, seed) for row in ROWS}
            print(f"\n### {frames:,} frames, {videos} videos, seed {seed}\n")
            print("\n".join(table(folders)))


if __name__ == "__main__":
    main(sys.argv[1:])
