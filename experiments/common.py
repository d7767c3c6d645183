"""What the experiments share: run a composed row like `sieve eval` does, keep numbers, draw lines.

Figures and tables are made from the numbers on disk (CSV), never from what happens to be in memory.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.console import Console

from framework.benchmarks.base import Benchmark
from framework.commands.replay import recorded_source
from framework.config import plugins
from framework.config.build import build
from framework.config.identity import claim, identity, register_resolvers, whole
from framework.config.parts import build_pipeline
from framework.engine.session import OpenSession
from framework.evaluation.journal import Journal
from framework.evaluation.lock import hold
from framework.evaluation.runner import Runner, Status
from framework.evaluation.runs import Line, load
from framework.evaluation.statistics import holm, mean_interval
from framework.evaluation.versus import Versus
from framework.recording.origin import check_same
from framework.recording.recording_session import FOLDER as PROBES
from framework.recording.recording_session import Recorder
from framework.recording.replay_session import Recordings
from framework.report.console import console
from framework.trackers import NoTracker

OUTPUTS = Path("outputs")
RESULTS = Path("docs/results")
MEANINGS = {
    "backbone": "which backbone: an option of conf/backbone",
    "cache": "folder in which encoded videos are kept",
    "clips": "number of made-up clips",
    "folder": "folder that the results are written into",
    "frames": "frames of a video",
    "gaze": "weights of the gaze: a path, asset:NAME or random:SEED",
    "opacity": "opacities of the needles, 0 to 1; below 0.2 they are hard to see",
    "questions": "questions about each video",
    "reconstructor": "weights of the reconstructor: a path, asset:NAME or random:SEED",
    "results": "folder that the results are written into",
    "seed": "every random choice starts here",
    "splits": "kinds of questions, each with videos of its own",
    "threads": "threads of this process",
    "videos": "number of videos",
    "words": "words that are added to `sieve train`, with blanks between them",
}  # of keys that several programs take; a program may say something else of one
Row = Mapping[str, Any]


def arguments(
    given: Sequence[str],
    defaults: Mapping[str, str],
    about: str | None = None,
    meanings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Reads `key=value` words over their defaults. SystemExit names unknown keys.

    `--help` or `-h` prints what `explain` returns, and exits with status 0.
    """
    if {"--help", "-h"} & set(given):
        print(explain(defaults, about, meanings))
        raise SystemExit(0)
    words = dict(word.partition("=")[::2] for word in given)
    if unknown := sorted(set(words) - set(defaults)):
        known = " ".join(f"{key}={value}" for key, value in defaults.items())
        raise SystemExit(f"unknown: {', '.join(unknown)}; keys with their defaults: {known}; --help explains them")
    if bare := [word for word in given if "=" not in word]:
        raise SystemExit(f"{', '.join(bare)}: got no value, expected key=value; --help explains the keys")
    return {**defaults, **words}


def explain(defaults: Mapping[str, str], about: str | None = None, meanings: Mapping[str, str] | None = None) -> str:
    """Returns the help of a program: `about` (its module's docstring), then every key with its default and meaning.

    What `meanings` says of a key goes before what MEANINGS says.
    """
    known = {**MEANINGS, **(meanings or {})}
    parts = [(about or "").strip(), "", "Keys and their defaults, each given as key=value:"]
    for key, value in defaults.items():
        parts += [f"  {key}={value}", *([f"      {known[key]}"] if key in known else [])]
    return "\n".join(parts).lstrip()


def numbers(text: str) -> list[int]:
    """Reads `8,16` as numbers."""
    return [int(word) for word in text.split(",")]


@contextmanager
def composing() -> Iterator[None]:
    """Lets `compose_root`, `run` and `replay` find the project's configuration inside its block."""
    register_resolvers()
    plugins.register()
    with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
        yield


def compose_root(overrides: Sequence[str]) -> DictConfig:
    """Composes the configuration that `sieve eval OVERRIDES` runs, without what changes no result."""
    return compose(config_name="config", overrides=list(overrides))


def run(
    overrides: Sequence[str],
    title: str,
    record: bool = False,
    composed: DictConfig | None = None,
    around: Callable[[OpenSession], OpenSession] | None = None,
) -> Path:
    """Runs one row, or goes on with it, and returns its folder: the one that `sieve eval OVERRIDES` uses.

    With `record` the probes of all groups are kept, for `replay`. `composed` is the configuration where it is not what
    the overrides compose to. `around` changes how videos are opened. SystemExit where a question failed.
    """
    cfg = compose_root(overrides) if composed is None else composed
    folder = OUTPUTS / cfg.benchmark.name / identity(cfg)
    recorder = Recorder(folder / PROBES)
    pipeline = replace(build_pipeline(cfg), open_session=recorder.open) if record else build_pipeline(cfg)
    if around is not None:
        pipeline = replace(pipeline, open_session=around(pipeline.open_session))
    runner = Runner(pipeline, _benchmark(cfg), folder, NoTracker())
    return _conduct(cfg, overrides, replace(runner, settled=recorder.settled) if record else runner, title)


def replay(recording: Path, overrides: Sequence[str], title: str, composed: DictConfig | None = None) -> Path:
    """Runs one row on the probes that the run in `recording` kept, and returns the folder that `sieve replay` uses.

    `composed` as in `run`.

    A larger budget than the recorded one works as long as all tokens that it wants were kept. In the lab's groups,
    which have 32 tokens, they were. Reading tokens that were not kept is an error.
    """
    cfg = compose_root(overrides) if composed is None else composed
    check_same(recording, cfg)
    recordings = Recordings(recording / PROBES)
    benchmark = _benchmark(cfg)
    benchmark.recorded = recordings.holds_any
    folder = OUTPUTS / "replay" / cfg.benchmark.name / identity(cfg)
    pipeline = replace(build_pipeline(cfg), open_session=recordings.open)
    runner = Runner(pipeline, benchmark, folder, NoTracker(), source=lambda video: recorded_source(recordings, video))
    return _conduct(cfg, overrides, runner, title)


def _benchmark(cfg: DictConfig) -> Benchmark:
    return build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]


def _conduct(cfg: DictConfig, overrides: Sequence[str], runner: Runner, title: str) -> Path:
    presets = [word.partition("=")[2] for word in overrides if word.startswith("preset=")]
    with hold(runner.folder), progress(title) as watch:
        claim(runner.folder, cfg, "".join(presets), overrides)
        summary = runner.run(watch)
    if summary["failed"]:
        raise SystemExit(f"{runner.folder}: {summary['failed']} questions failed, failures.jsonl says why")
    return runner.folder


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """Yields a watcher for a runner that shows one line on standard error.

    On a terminal the line is rewritten; otherwise it is written at the end.
    """
    out: Console = console(stderr=True)
    start, last = time.perf_counter(), [""]

    def watch(status: Status) -> None:
        right = sum(line["correct"] for line in status.lines)
        share = f"{status.videos}/{status.of} videos  {right:g}/{len(status.lines)} right  {status.failed} failed"
        last[0] = f"{title:<60} {share}  {time.perf_counter() - start:.0f} s"
        if out.is_terminal:
            print(f"\r{last[0]}", end="", file=sys.stderr, flush=True)

    yield watch
    print(f"\r{last[0]}" if out.is_terminal else last[0], file=sys.stderr, flush=True)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Returns the answered questions of a run."""
    return Journal(folder / "questions.jsonl").lines


def accuracies(ours: Sequence[Line], videos: Sequence[str], against: Versus | None) -> dict[str, float | None]:
    """Returns the columns of a row for accuracy and its paired difference, each with its 95 % interval."""
    accuracy = mean_interval([line["correct"] for line in ours], videos)
    return {
        "accuracy": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "difference": against.difference.value if against else None,
        "difference_low": against.difference.low if against else None,
        "difference_high": against.difference.high if against else None,
    }


def with_holm(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns the rows with Holm's correction over all their p-values."""
    corrected = iter(holm([row["p"] for row in rows if row["p"] is not None]))
    return [{**row, "p_holm": next(corrected) if row["p"] is not None else None} for row in rows]


def write(path: Path, rows: Sequence[Row]) -> None:
    """Writes rows as CSV: numbers with six significant digits, None as an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [[_cell(value) for value in row.values()] for row in rows]
    whole(path, "".join(",".join(line) + "\n" for line in [list(rows[0]), *cells]))


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text else text


def read(path: Path) -> list[dict[str, Any]]:
    """Reads the rows of a CSV: a text that reads as a number becomes one, an empty cell becomes None."""
    with open(path, encoding="utf-8", newline="") as file:
        return [{key: _value(text) for key, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text or None


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Returns a Markdown table."""
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (columns, ["---"] * len(columns), *rows))


def interval(row: Row, name: str = "") -> str:
    """Formats a row's accuracy, or its column `name` such as `difference`, as `.930 [.880, .970]`."""
    keys = (name, f"{name}_low", f"{name}_high") if name else ("accuracy", "low", "high")
    value, low, high = (row[key] for key in keys)
    return "" if value is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def commits(folders: Sequence[Path]) -> str:
    """Returns the commits of the code that began these runs, as run.json has them."""
    return ", ".join(sorted({load(folder).versions.get("commit", "unknown") for folder in folders}))


def chance_line(axes: Axes, chance: float) -> None:
    """Draws the accuracy that guessing among the options gives."""
    axes.axhline(chance, color="#444444", linestyle=":", linewidth=1, label=f"chance, {chance:.2f}")


def doubling(axes: Axes, places: Sequence[int]) -> None:
    """Makes the x axis logarithmic, with marks at `places` and nowhere else."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.minorticks_off()


def save(figure: Figure, path: Path) -> None:
    """Saves the figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(str(path))
