"""What QTSplus costs against what it saves, and from how many frames on choosing tokens pays.

    python -m experiments.qtsplus.cost frames=4,16,64,256,1024,4096 kept=0.1 repeats=5 seed=1

Measured on the lab model: processor seconds and memory of all that comes after the vision tower, one thread, ways to
answer side by side in every repeat, medians. Computed for Qwen2.5-VL-3B and -7B from operations. Writes
qtsplus_cost.csv, qtsplus_cost_computed.csv and qtsplus_cost.png into docs/results (key: folder).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.figure import Figure

from experiments.common import (
    RESULTS,
    Row,
    arguments,
    compose_root,
    composing,
    doubling,
    markdown,
    numbers,
    read,
    save,
    write,
)
from experiments.qtsplus.encoded import ask, encode_first, peaks, total_cost
from experiments.qtsplus.operations import compute, savings_table, shares, work_table
from framework.benchmarks.base import Benchmark, VideoItem
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.engine.pipeline import Pipeline

NAME = "qtsplus_cost"
COMPUTED = f"{NAME}_computed"
ALL = "all tokens"
WAYS = {
    ALL: "#444444",
    "qtsplus": "#1b7f5c",
    "qtsplus, no re-encoder": "#66ccaa",
    "attention": "#4477aa",
}
SHORTEST = 64  # frames of a needle video; of fewer, some of its are looked at
CHOOSING = ("probe", "score", "refine")  # stages
DEFAULTS = {
    "frames": "4,16,64,256,1024,4096",
    "kept": "0.1",
    "repeats": "5",
    "seed": "1",
    "folder": str(RESULTS),
}
MEANINGS = {
    "frames": "frames of the video, one length after another",
    "kept": "share of the visual tokens that is kept",
    "repeats": "how often each way answers; medians are shown",
    "seed": "seed of the videos",
}


def build_ways(kept: float) -> dict[str, Pipeline]:
    """Builds the pipeline of every way, all with one backbone; their budgets are still to come."""
    common = ["backbone=lab", "backbone.adapter.device=cpu", "answer_positions=original", "splitter=whole"]
    learned = ["preset=qtsplus", f"qtsplus.rho={kept}"]
    words = {
        ALL: ["preset=random"],
        "qtsplus": learned,
        "qtsplus, no re-encoder": [*learned, "refiner=none"],
        "attention": ["preset=flexselect"],
    }
    made = {way: build_pipeline(compose_root([*common, *words[way]])) for way in WAYS}
    return {way: replace(pipeline, backbone=made[ALL].backbone) for way, pipeline in made.items()}


def video(frames: int, seed: int) -> VideoItem:
    """Renders a needle video with its questions; it has SHORTEST frames where fewer are asked for."""
    length = f"benchmark.frames={max(frames, SHORTEST)}"
    cfg = compose_root(["backbone=lab", "benchmark=needle", length, f"seed={seed}"])
    return build(cfg.benchmark, Benchmark, "benchmark")[0]  # type: ignore[type-abstract]


def measure(
    made: Mapping[str, Pipeline], shown: VideoItem, frames: int, kept: float, repeats: int
) -> list[dict[str, Any]]:
    """Returns one row per way to answer about `frames` frames of a video."""
    questions = [item.question for item in shown.items]
    sampling = replace(made["qtsplus"].sampling, max_frames=frames)
    look, opened, opening = encode_first(replace(made["qtsplus"], sampling=sampling), shown.path, questions[0])
    tokens = opened.trace.tokens_total
    few = math.ceil(kept * tokens - 1e-6)
    pipelines = {way: replace(one, budget=few if way == "attention" else tokens) for way, one in made.items()}
    rounds = [
        {way: ask(pipeline, look, questions[i % len(questions)]) for way, pipeline in pipelines.items()}
        for i in range(repeats)
    ]
    held = {way: peaks(partial(ask, pipeline, look, questions[0])) for way, pipeline in pipelines.items()}
    rows = []
    for way in pipelines:
        outcomes, seconds = zip(*(one[way] for one in rounds), strict=True)
        chose, answered = ([total_cost(o, *of) for o in outcomes] for of in (CHOOSING, ("answer",)))
        choosing = max(held[way].get(stage, 0) for stage in CHOOSING)
        rows.append(
            {
                "frames": frames,
                "tokens": tokens,
                "way": way,
                "kept": outcomes[0].trace.tokens_kept,
                "choose": median(cost.seconds for cost in chose),
                "answer": median(cost.seconds for cost in answered),
                "seconds": median(seconds),
                "fastest": min(seconds),
                "slowest": max(seconds),
                "choose_mib": choosing / 2**20,
                "answer_mib": held[way]["answer"] / 2**20,
                "choose_gflop": median(cost.flops for cost in chose) / 1e9,
                "answer_gflop": median(cost.flops for cost in answered) / 1e9,
                "encoding": opening - median(one["qtsplus"][1] for one in rounds),
            }
        )
    return rows


def crossing(places: Sequence[float], saved: Sequence[float]) -> float | None:
    """Returns the place from which on something is saved, linear between the last place without and the next.

    It is the first place where all save, and None where the last one does not.
    """
    without = [i for i, value in enumerate(saved) if value <= 0]
    if not without:
        return places[0]
    if without[-1] == len(saved) - 1:
        return None
    i = without[-1]
    return places[i] + (places[i + 1] - places[i]) * -saved[i] / (saved[i + 1] - saved[i])


def draw(measured: Sequence[Row], computed: Sequence[Row]) -> Figure:
    """Draws the seconds after the vision tower over frames, and what is saved of all operations, as computed."""
    figure = Figure(figsize=(10.5, 4.3), dpi=90, layout="constrained")
    left, right = figure.subplots(1, 2)
    for way, color in WAYS.items():
        mine = [row for row in measured if row["way"] == way]
        places, low, high = ([row[key] for row in mine] for key in ("frames", "fastest", "slowest"))
        left.plot(places, [row["seconds"] for row in mine], "o-", color=color, markersize=4, label=way)
        left.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)
    left.set(title="lab model, measured", xlabel="frames", ylabel="processor s after the vision tower", yscale="log")
    doubling(left, sorted({row["frames"] for row in measured}))
    left.legend(fontsize=8)
    shares(right, computed)
    return figure


def measured_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of what each way took at each length."""
    cells = []
    for row in rows:
        stages = [f"{row[key]:.3f}" for key in ("choose", "answer")]
        together = f"{row['seconds']:.3f} ({row['fastest']:.3f}–{row['slowest']:.3f})"
        memory = [f"{row[key]:.1f}" for key in ("choose_mib", "answer_mib")]
        work = f"{row['choose_gflop']:.3g} + {row['answer_gflop']:.3g}"
        name = [f"{row['frames']:,}", f"{row['tokens']:,}", row["way"], row["kept"]]
        cells.append([*name, *stages, together, *memory, work])
    head = ["frames", "tokens", "", "kept", "choose, s", "answer, s", "together, s"]
    return markdown([*head, "choose, MiB", "answer, MiB", "GFLOP"], cells)


def pays_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of processor seconds, as a share of those of reading all tokens.

    In brackets stands the share with decoding and encoding. The last column says from how many frames on a way takes
    less.
    """
    lengths = sorted({row["frames"] for row in rows})
    at = {(row["way"], row["frames"]): row["seconds"] for row in rows}
    before = {row["frames"]: row["encoding"] for row in rows}
    cells = []
    for way in (way for way in WAYS if way != ALL):
        ours, theirs = ([at[one, length] for length in lengths] for one in (way, ALL))
        place = crossing(lengths, [their - our for our, their in zip(ours, theirs, strict=True)])
        said = "never" if place is None else f"at most {lengths[0]}" if place == lengths[0] else f"{place:.0f}"
        shares = [
            f"{our / their:.2f} ({(our + before[length]) / (their + before[length]):.2f})"
            for our, their, length in zip(ours, theirs, lengths, strict=True)
        ]
        cells.append([way, *shares, said])
    return markdown(["all tokens = 1", *(f"{length:,} frames" for length in lengths), "pays from, frames"], cells)


def tables(measured: Sequence[Row], computed: Sequence[Row]) -> list[str]:
    """Returns all tables of the page, in its order."""
    return [measured_table(measured), pays_table(measured), work_table(computed), savings_table(computed)]


def main(given: list[str]) -> None:
    """Measures, computes, writes the numbers, draws them and prints the tables."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    folder, kept = Path(chosen["folder"]), float(chosen["kept"])
    repeats, seed = int(chosen["repeats"]), int(chosen["seed"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    try:
        with composing():
            made = build_ways(kept)
            lengths = numbers(chosen["frames"])
            measure(made, video(lengths[0], seed), lengths[0], kept, 1)  # reads weights from disk
            for frames in lengths:
                rows += measure(made, video(frames, seed), frames, kept, repeats)
                write(folder / f"{NAME}.csv", rows)
    finally:
        torch.set_num_threads(threads)
    write(folder / f"{COMPUTED}.csv", compute())
    measured, computed = read(folder / f"{NAME}.csv"), read(folder / f"{COMPUTED}.csv")
    save(draw(measured, computed), folder / f"{NAME}.png")
    print("\n\n".join(tables(measured, computed)))


if __name__ == "__main__":
    main(sys.argv[1:])
