"""`sieve eval`: a preset over a benchmark, with a progress display and a summary. The runner does the work."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from framework.benchmarks.base import Benchmark, VideoItem
from framework.commands.entries.measuring import DOCTOR
from framework.commands.progress import display
from framework.commands.sweeping import choices_of, current_sweep
from framework.config.build import build
from framework.config.identity import claim, describe, identity
from framework.config.parts import build_pipeline
from framework.core.errors import RunError, UsageError
from framework.engine.ahead import Ahead
from framework.engine.pipeline import Pipeline
from framework.evaluation.distributed import World, join
from framework.evaluation.freshness import Source, video_file
from framework.evaluation.lock import check_free, hold
from framework.evaluation.runner import Runner, Watcher
from framework.recording.recording_session import FOLDER, Recorder
from framework.report.console import console as terminal
from framework.trackers import About, Tracker

NAMED = 5  # missing videos and errors shown by name


def run(cfg: DictConfig) -> dict[str, Any]:
    """Evaluates what the configuration names, and returns the summary, which is also in the run folder."""
    folder = run_folder()
    world = join(cfg.world.devices, cfg.world.num_nodes, cfg.world.accelerator, lambda: check_free(folder))
    if world.size > 1 and OmegaConf.select(cfg, "backbone.adapter.tensor_parallel"):
        raise UsageError(
            f"backbone.adapter.tensor_parallel=true shows every process the same video, but sieve eval shares videos "
            f"among {world.size} processes: set it to false, or call Pipeline.answer from processes of your own"
        )
    with hold(folder, world):
        tracker = build(cfg.tracker, Tracker, "tracker")  # type: ignore[type-abstract]
        benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
        check(cfg, benchmark)
        return conduct(cfg, build_pipeline(cfg), benchmark, tracker, world)


def run_folder() -> Path:
    """Returns the folder that this run writes into."""
    return Path(HydraConfig.get().runtime.output_dir)


def conduct(
    cfg: DictConfig,
    pipeline: Pipeline,
    benchmark: Benchmark,
    tracker: Tracker,
    world: World,
    source: Callable[[VideoItem], Source] = video_file,
) -> dict[str, Any]:
    """Asks the benchmark's questions with what is built already, in a run folder whose lock is held.

    Returns the summary, which is shown and judged.
    """
    about = _about(cfg, benchmark.name)
    recorder = Recorder(about.folder / FOLDER) if cfg.get("record") else None
    if recorder is not None:
        pipeline = replace(pipeline, open_session=recorder.open)
    if world.first:
        claim(about.folder, cfg, about.preset, about.overrides)
        if recorder is not None:
            recorder.clear()
        tracker.start(replace(about, versions=describe(about.folder).get("versions", {})))
    title = f"{about.preset} on {benchmark.name}" if about.preset else benchmark.name
    with display(terminal(stderr=True), cfg.progress and world.first, title) as watch:
        settled = (lambda video: True) if recorder is None else recorder.settled
        runner = Runner(pipeline, benchmark, about.folder, tracker, world, settled, source)
        summary = runner.run(watch) if source is not video_file else run_ahead(runner, watch)
    if world.first:
        show(terminal(), summary, about.folder)
        _judge(summary, cfg.max_failed_share, about.folder)
    return summary


def run_ahead(runner: Runner, watch: Watcher | None) -> dict[str, Any]:
    """Runs what shows the videos themselves: the next one is opened while this one is looked at."""
    with closing(Ahead(runner.pipeline)) as ahead:
        return replace(runner, pipeline=ahead.pipeline, announce=ahead.announce).run(watch)


def _about(cfg: DictConfig, benchmark: str) -> About:
    hydra = HydraConfig.get()
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    return About(
        id=identity(cfg),
        folder=run_folder(),
        config={str(key): value for key, value in plain.items()},
        preset=str(hydra.runtime.choices.get("preset") or ""),
        ablation=str(hydra.runtime.choices.get("ablation") or ""),
        benchmark=benchmark,
        overrides=tuple(hydra.overrides.task),
        choices=choices_of(hydra),
        sweep=current_sweep(),
    )


def check(cfg: DictConfig, benchmark: Benchmark) -> None:
    """Checks, before a model is loaded, that there is something to ask. Raises UsageError where that is not so."""
    if not len(benchmark):
        videos, rows = list(benchmark.absent.videos), benchmark.absent.rows
        names = f" ({_some(videos)})" if videos else ""
        raise UsageError(
            f"{benchmark.name}: nothing to ask, {len(videos)} videos are missing{names} and {len(rows)} rows cannot be "
            f"read; `{_doctor(cfg)}` lists them"
        )


def _doctor(cfg: DictConfig) -> str:
    """The command that lists what of the benchmark is missing, in the words that were typed about it."""
    hydra = HydraConfig.get()
    typed = [word for word in hydra.overrides.task if word.lstrip("+~").startswith("benchmark")]
    for place, key in enumerate(word.partition("=")[0] for word in typed):
        if key in DOCTOR.texts and (text := OmegaConf.select(cfg, key)) is not None:
            typed[place] = f"{key}={text}"  # without the quotes that Hydra was given
    if not any(word.startswith("benchmark=") for word in typed):
        typed.insert(0, f"benchmark={hydra.runtime.choices.get('benchmark')}")
    return shlex.join(["sieve", "doctor", *typed])


def _judge(summary: dict[str, Any], allowed: float, folder: Path) -> None:
    """RunError when more than the allowed share of the questions failed."""
    failed, asked = summary["failed"], summary["failed"] + summary["n"]
    if failed > allowed * asked:
        raise RunError(
            f"{failed} of {asked} questions failed, {allowed:.1%} are allowed (key: max_failed_share); "
            f"{folder / 'failures.jsonl'} says why, and the same command tries them again"
        )


def show(console: Console, summary: dict[str, Any], folder: Path) -> None:
    """Prints the summary as a small table."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in {**figures(summary), **_troubles(summary)}.items():
        table.add_row(name, value)
    for dimension, labels in summary["strata"].items():
        for label, part in labels.items() if len(labels) > 1 else ():
            table.add_row(f"{dimension} {label}", figures(part)["accuracy"])
    console.print(table)
    console.print(f"results   {folder}", soft_wrap=True)


def _troubles(summary: dict[str, Any]) -> dict[str, str]:
    """What was not asked, not answered or not understood, as text; nothing when all went well."""
    videos, rows = summary["absent"]["videos"], summary["absent"]["rows"]
    found = {}
    if unparsed := summary["unparsed"]:
        found["unparsed"] = f"{unparsed} answers could not be read and count as wrong"
    if failed := summary["failed"]:
        found["failed"] = f"{failed}: {_some(list(summary['errors'].values()))}"
    if damaged := summary.get("damaged_ticks"):
        found["damaged"] = f"{damaged} ticks show pictures decoded from damaged data (damaged_ticks in questions.jsonl)"
    if left_out := summary.get("left_out"):
        found["left out"] = (
            f"{len(left_out)} answers to questions that the benchmark does not have now: {_some(left_out)}"
        )
    if videos:
        found["missing"] = f"{len(videos)} videos with {sum(videos.values())} questions: {_some(list(videos))}"
    if rows:
        found["bad rows"] = f"{len(rows)}: {_some([f'{row}: {why}' for row, why in rows.items()])}"
    return found


def _some(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def figures(summary: dict[str, Any]) -> dict[str, str]:
    """Formats the figures of a summary that fit on one line each."""
    if not summary["n"]:
        return {"accuracy": "no question answered"}
    if not summary.get("score", True):
        answered = f"{summary['n']} questions on {summary['videos']} videos"
        return {"answered": f"{answered}; this benchmark gives no score without a judge"}
    low, high = summary["accuracy_interval"]
    interval = f" [{low:.3f}, {high:.3f}]" if low is not None else ""
    found, kept = summary["evidence_found"], summary.get("evidence_kept")
    tokens = f", {kept:.1%} of its tokens kept" if kept is not None else ""
    shown = {
        "accuracy": f"{summary['accuracy']:.3f}{interval}  n = {summary['n']} on {summary['videos']} videos",
        **{name: f"{value:.5g}" for name, value in summary.get("score", {}).items() if name != "accuracy"},
        "groups visited": f"{summary['groups_visited_share']:.1%}",
        "tokens": f"{summary['tokens_kept_mean']:.1f} kept of {summary['tokens_seen']:.0f} seen, "
        f"{summary['tokens_total']:.0f} in the video",
        "evidence found": f"{found:.1%}{tokens}" if found is not None else "unknown",
    }
    if "seconds" in summary:
        shown["seconds"] = f"{summary['seconds']:.1f} ({summary['seconds_per_question']:.2f} per question)"
        shown["peak memory"] = f"{summary['peak_bytes'] / 2**30:.2f} GiB"
    if apart := summary.get("operations"):
        shown["operations"] = ", ".join(f"{model} {count:.3g}" for model, count in apart.items()) + " per question"
    return shown
