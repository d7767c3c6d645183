"""`sieve doctor benchmark=NAME`: which videos and questions of a benchmark an evaluation would cover, and why not all.

Opens every video and decodes its first frame; loads no model. Writes nothing, unless asked to (key: report).
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from framework.benchmarks.annotated import Annotated
from framework.benchmarks.base import Benchmark, Strata, VideoItem
from framework.config.build import build
from framework.core.errors import UsageError
from framework.core.home import at_home
from framework.report.console import console
from framework.video.readers.base import Reader

MANY = 20  # videos that are worth a progress bar
SHOWN = 10  # names of one kind on the terminal; the report has all


@dataclass(frozen=True)
class Coverage:
    """Says what an evaluation would ask, and what it could not."""

    videos: list[VideoItem]  # that are there and can be opened
    missing: Mapping[str, int]  # video -> its questions
    unreadable: dict[str, str]  # video -> why it cannot be opened
    rows: Mapping[str, str]  # row of the annotations -> why it cannot be asked
    named: dict[str, int]  # videos, questions, "dimension: label" -> how many the annotations name

    @property
    def covered(self) -> dict[str, int]:
        """Counts for each key of `named` how many of them would be asked."""
        found = _counted(item.strata for video in self.videos for item in video.items)
        return {key: {"videos": len(self.videos), **found}.get(key, 0) for key in self.named}


def run(cfg: DictConfig) -> None:
    """Prints what is covered and what is not. The exit status is 1 when nothing is covered."""
    report = None if cfg.report is None else at_home(cfg.report, "report")
    if report and not report.parent.is_dir():
        raise UsageError(f"report={report}: there is no folder {report.parent}; make it, or choose another file")
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
    out = console()
    if not isinstance(benchmark, Annotated):
        out.print(f"{benchmark.name} makes its videos itself: all {len(benchmark)} are covered")
        return
    coverage = examine(benchmark, reader, console(stderr=True))
    show(out, benchmark, coverage, report)
    if report:
        report.write_text(json.dumps(_plain(benchmark, coverage), indent=1, ensure_ascii=False) + "\n", "utf-8")
    if not coverage.videos:
        sys.exit(1)


def examine(benchmark: Annotated, reader: Reader, bar: Console) -> Coverage:
    """Opens every video that is there, and says what an evaluation would cover.

    A progress bar moves on the console `bar`, where it is a terminal and there are many videos.
    """
    absent = benchmark.absent
    there: list[VideoItem] = []
    unreadable: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not bar.is_terminal or len(benchmark) < MANY
    with Progress(*columns, console=bar, disable=quiet, transient=True) as progress:
        for video in progress.track(benchmark, total=len(benchmark), description="opening videos"):
            try:
                reader.info(video.path)
                there.append(video)
            except (OSError, ValueError) as error:
                unreadable[video.id] = str(error).removeprefix(f"video={video.path}: ")
    return Coverage(there, absent.videos, unreadable, absent.rows, _named(benchmark))


def _named(benchmark: Annotated) -> dict[str, int]:
    """How much the annotations name, of what `benchmark.only` leaves; rows that cannot be read count for nothing."""
    videos, strata = set(), []
    for row in benchmark.rows():
        try:
            video, mine = benchmark.video_names(row)[0], benchmark.strata(row)
        except (KeyError, ValueError, TypeError, IndexError):
            continue
        if benchmark.wants(mine):
            videos.add(video)
            strata.append(mine)
    return {"videos": len(videos), **_counted(strata)}


def _counted(strata: Iterable[Strata]) -> dict[str, int]:
    """Questions in all and per label."""
    mine = list(strata)
    labels = Counter(f"{name}: {label}" for each in mine for name, found in each.items() for label in found)
    return {"questions": len(mine), **dict(sorted(labels.items()))}


def show(out: Console, benchmark: Annotated, coverage: Coverage, report: Path | None) -> None:
    """Prints the table of what is covered, then the names of what is not."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(Text(benchmark.name))
    for name in ("covered", "of", ""):
        table.add_column(name, justify="right")
    covered = coverage.covered
    for key, named in coverage.named.items():
        share = f"{covered[key] / named:.1%}" if named else ""
        table.add_row(Text(key), str(covered[key]), str(named), share)
    out.print(table)
    lost = sum(coverage.missing.values())
    _list(out, f"missing videos (their questions: {lost})", dict.fromkeys(coverage.missing, ""))
    _list(out, "videos that cannot be read", coverage.unreadable)
    _list(out, "rows that cannot be asked", coverage.rows)
    if benchmark.limit is not None:
        out.print(f"\nbenchmark.limit={benchmark.limit}: an evaluation stops after so many videos")
    if not coverage.videos:
        out.print("\nan evaluation would cover nothing")
    if report:
        out.print(f"\nall names   {report}", soft_wrap=True)


def _list(out: Console, title: str, names: Mapping[str, str]) -> None:
    if not names:
        return
    out.print(f"\n{title}: {len(names)}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, why in list(names.items())[:SHOWN]:
        table.add_row(Text(name), Text(why))
    out.print(table)
    if len(names) > SHOWN:
        out.print(f"  and {len(names) - SHOWN} more; report=FILE writes all names")


def _plain(benchmark: Annotated, coverage: Coverage) -> dict[str, Any]:
    return {
        "benchmark": benchmark.name,
        "root": str(benchmark.root),
        "named": coverage.named,
        "covered": coverage.covered,
        "missing": dict(coverage.missing),
        "unreadable": coverage.unreadable,
        "rows": dict(coverage.rows),
    }
