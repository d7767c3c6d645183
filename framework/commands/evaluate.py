"""`sieve eval`: a preset over a benchmark, with a progress bar and a summary. The runner does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from framework.benchmarks.base import Benchmark
from framework.build import build, build_pipeline
from framework.evaluation.runner import Runner
from framework.report.console import console as terminal
from framework.tracking import Tracker, claim, identity


def run(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate what the configuration names; the summary, which is also in the run folder."""
    tracker = build(cfg.tracker, Tracker, "tracker")  # type: ignore[type-abstract]
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    pipeline = build_pipeline(cfg)
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    claim(folder, cfg)
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    preset = str(hydra.runtime.choices.get("preset") or "")
    tracker.start(folder, identity(cfg), {**{str(key): value for key, value in plain.items()}, "preset_name": preset})
    console = terminal(stderr=True)
    with _bar(console, cfg.progress, len(benchmark), _title(preset, benchmark.name)) as watch:
        summary = Runner(pipeline, benchmark, folder, tracker).run(watch)
    show(terminal(), summary, folder)
    return summary


def _title(preset: str, benchmark: str) -> str:
    return f"{preset} on {benchmark}" if preset else benchmark


@contextmanager
def _bar(
    console: Console, wanted: bool, videos: int, title: str
) -> Iterator[Callable[[int, list[dict[str, Any]]], None]]:
    """A progress bar with the accuracy so far, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[so_far]}"))
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, disable=not (wanted and console.is_terminal)) as progress:
        task = progress.add_task(title, total=videos, so_far="")

        def watch(done: int, lines: list[dict[str, Any]]) -> None:
            right = sum(line["correct"] for line in lines)
            progress.update(task, completed=done, so_far=f"{right:g} of {len(lines)} right")

        yield watch


def show(console: Console, summary: dict[str, Any], folder: Path) -> None:
    """The summary as a small table."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in figures(summary).items():
        table.add_row(name, value)
    for split, part in summary["splits"].items() if len(summary["splits"]) > 1 else ():
        table.add_row(f"accuracy, {split}", figures(part)["accuracy"])
    console.print(table)
    console.print(f"results   {folder}", soft_wrap=True)


def figures(summary: dict[str, Any]) -> dict[str, str]:
    """The figures of a summary that fit on one line each, as text."""
    if not summary["n"]:
        return {"accuracy": "no question answered"}
    low, high = summary["accuracy_interval"]
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None else ""
    found = summary["evidence_found"]
    shown = {
        "accuracy": f"{summary['accuracy']:.3f}{interval}  n = {summary['n']} on {summary['videos']} videos",
        "groups visited": f"{summary['groups_visited_share']:.1%}",
        "tokens": f"{summary['tokens_kept_mean']:.1f} kept of {summary['tokens_seen']:.0f} seen, "
        f"{summary['tokens_total']:.0f} in the video",
        "evidence found": f"{found:.1%}" if found is not None else "unknown",
    }
    if "seconds" in summary:
        shown["seconds"] = f"{summary['seconds']:.1f} ({summary['seconds_per_question']:.2f} per question)"
        shown["peak memory"] = f"{summary['peak_bytes'] / 2**30:.2f} GiB"
    return shown
