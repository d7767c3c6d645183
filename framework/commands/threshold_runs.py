"""The runs behind `sieve threshold`: each goes on in the folder that `sieve eval` would use; then curves and tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from framework.benchmarks.base import Benchmark
from framework.commands.progress import display
from framework.commands.threshold_plan import Planned
from framework.config.build import build
from framework.config.identity import claim, identity
from framework.config.parts import build_pipeline
from framework.core.errors import RunError
from framework.evaluation.lock import hold
from framework.evaluation.runner import Runner
from framework.evaluation.scale import measure
from framework.report.console import console
from framework.report.tables import print_sheet
from framework.report.threshold import CELLS, TABLE, sheets, write
from framework.report.threshold_picture import draw
from framework.trackers import NoTracker

OUTPUTS = Path("outputs")


def conduct(runs: Sequence[Planned], resamples: int, progress: bool) -> Path:
    """Answers what is not answered yet, prints the tables and writes them with the picture. Returns their folder.

    Raises RunError where a question failed: presets are compared on the same questions.
    """
    folders: dict[str, dict[float, list[Path]]] = {}
    for number, one in enumerate(runs, start=1):
        title = f"{number}/{len(runs)} {one.preset} opacity {one.opacity:g} seed {one.seed}"
        folders.setdefault(one.preset, {}).setdefault(one.opacity, []).append(_answered(one, title, progress))
    methods = measure(folders, resamples)
    names = " ".join(folder.name for scale in folders.values() for same in scale.values() for folder in same)
    folder = OUTPUTS / "threshold" / hashlib.sha256(names.encode()).hexdigest()[:6]
    write(folder, methods)
    draw(folder / "threshold.png", methods)
    out = console()
    for sheet in sheets(methods):
        print_sheet(out, sheet)
    out.print(f"table     {folder / 'threshold.md'}, {TABLE} and {CELLS}", soft_wrap=True)
    out.print(f"picture   {folder / 'threshold.png'}", soft_wrap=True)
    return folder


def _answered(one: Planned, title: str, progress: bool) -> Path:
    """The folder of a run, with all its questions answered."""
    benchmark = build(one.cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    folder = OUTPUTS / str(benchmark.name) / identity(one.cfg)
    with hold(folder), display(console(stderr=True), progress, title) as watch:
        claim(folder, one.cfg, one.preset, one.words)
        summary = Runner(build_pipeline(one.cfg), benchmark, folder, NoTracker()).run(watch)
    if summary["failed"]:
        raise RunError(
            f"{folder}: {summary['failed']} questions failed, and presets are compared on the same ones; "
            "failures.jsonl says why, and the same command tries them again"
        )
    return folder
