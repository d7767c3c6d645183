"""How the gaze's stages went: what was measured on held-out clips on the way, as numbers and curves.

    python -m experiments.autogaze.training folder=outputs/train stages=reconstructor,ntp,grpo,grpo_only,ntp_one_head

Reads `measured.jsonl` of every folder that `sieve train recipe=autogaze_...` made.
Writes docs/results/autogaze_training.csv and .png. Nothing is trained here. Any other folder may be named, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.common import RESULTS, Row, arguments, markdown, read, save, write

NAME = "autogaze_training"
DEFAULTS = {
    "folder": "outputs/train",
    "stages": "reconstructor,ntp,grpo,grpo_only,ntp_one_head",
    "results": str(RESULTS),
}
MEANINGS = {
    "folder": "folder that holds one folder for each stage, as `sieve train` made them",
    "stages": "names of the stages' folders",
}
STAGE0 = "reconstructor"
STYLE = {
    "ntp": ("#4477aa", "--"),
    "grpo": ("#1b7f5c", "-"),
    "grpo_only": ("#ee6677", ":"),
    "ntp_one_head": ("#99ccee", "-."),
}
SHADES = (0.35, 0.55, 0.8, 1.0)


def main(given: Sequence[str]) -> None:
    """Collects the measurements, writes them, draws them and prints the table."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    rows = gather(Path(chosen["folder"]), chosen["stages"].split(","))
    results = Path(chosen["results"])
    write(results / f"{NAME}.csv", rows)
    rows = read(results / f"{NAME}.csv")
    save(draw(rows), results / f"{NAME}.png")
    print(table(rows))


def gather(folder: Path, stages: Sequence[str]) -> list[Row]:
    """Returns one row per stage, step and measure; a step that a resumed run measured again counts once.

    SystemExit where a stage has left no measurements.
    """
    rows: list[Row] = []
    for stage in stages:
        place = folder / f"autogaze_{stage}"
        file = place / "measured.jsonl"
        if not file.is_file():
            raise SystemExit(f"{file} is missing: `sieve train recipe=autogaze_... folder={place}` makes it")
        steps = {node.pop("step"): node for node in map(json.loads, file.read_text().splitlines())}
        for step in sorted(steps):
            rows += [{"stage": stage, "step": step, "measure": name, "value": v} for name, v in steps[step].items()]
    return rows


def table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of the first and the last measurement of every stage."""
    cells = []
    for stage in dict.fromkeys(row["stage"] for row in rows):
        own = [row for row in rows if row["stage"] == stage]
        for name in dict.fromkeys(row["measure"] for row in own):
            line = [row for row in own if row["measure"] == name]
            first, last = line[0], line[-1]
            cells.append(
                [stage, name, f"{first['value']:.3f} ({first['step']:,})", f"{last['value']:.3f} ({last['step']:,})"]
            )
    return markdown(["stage", "held-out clips", "first (step)", "last (step)"], cells)


def draw(rows: Sequence[Row]) -> Figure:
    """Draws loss over steps: stage 0 at random picks, and policies at fixed picks a frame."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, [row for row in rows if row["stage"] == STAGE0])
    _lines(right, [row for row in rows if row["stage"] != STAGE0])
    left.set_title("stage 0, random picks", fontsize=9)
    right.set_title("picks a frame: 1 (palest), 2, 4, 8", fontsize=9)
    for axes in (left, right):
        axes.set_xlabel("steps")
        axes.set_ylabel("reconstruction loss, held-out clips")
        axes.legend(fontsize=7)
    return figure


def _lines(axes: Axes, rows: Sequence[Row]) -> None:
    for stage in dict.fromkeys(row["stage"] for row in rows):
        color, line = STYLE.get(stage, ("#444444", "-"))
        names = [
            name for name in dict.fromkeys(r["measure"] for r in rows if r["stage"] == stage) if name.startswith("loss")
        ]
        for name, shade in zip(names, SHADES, strict=False):
            own = [row for row in rows if (row["stage"], row["measure"]) == (stage, name)]
            last = stage != STAGE0 and name == names[-1]
            axes.plot(
                [row["step"] for row in own],
                [row["value"] for row in own],
                color=color,
                linestyle=line,
                alpha=shade,
                label=name if stage == STAGE0 else stage if last else None,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
