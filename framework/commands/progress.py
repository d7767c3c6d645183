"""Shows on a terminal how far an evaluation is: videos, questions, accuracy with its interval, pace, groups visited."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from framework.evaluation.runner import Status, Watcher
from framework.evaluation.statistics import mean_interval

RESAMPLES = 300  # of the running interval; the summary's takes more


@contextmanager
def display(console: Console, wanted: bool, title: str) -> Iterator[Watcher]:
    """Yields a watcher that moves a progress bar, where `wanted` and on a terminal."""
    name = TextColumn("{task.description}", markup=False)  # a title may be of the user's making
    columns = (name, BarColumn(), MofNCompleteColumn(), TextColumn("videos"))
    times = (TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(), TextColumn("{task.fields[so_far]}"))
    shown = wanted and console.is_terminal
    with Progress(*columns, *times, console=console, disable=not shown) as progress:
        task = progress.add_task(title, total=None, so_far="")

        def watch(status: Status) -> None:
            if shown:
                progress.update(task, completed=status.videos, total=status.of, so_far=so_far(status))

        yield watch


def so_far(status: Status) -> str:
    """Formats how far an evaluation is.

    That is questions, accuracy with its interval, seconds per question, share of groups visited and failures.
    """
    lines = status.lines
    if not lines:
        return f"{status.failed} failed" if status.failed else ""
    accuracy = mean_interval([line["correct"] for line in lines], [line["video"] for line in lines], RESAMPLES)
    interval = f" [{accuracy.low:.2f}, {accuracy.high:.2f}]" if math.isfinite(accuracy.low) else ""
    visited = sum(line["groups_visited"] / line["groups_total"] for line in lines) / len(lines)
    parts = [f"{len(lines)} questions", f"{accuracy.value:.3f}{interval} right", f"{visited:.0%} of groups"]
    if status.answered:
        parts.append(f"{status.seconds / status.answered:.2f} s each")
    if status.failed:
        parts.append(f"{status.failed} failed")
    return " · ".join(parts)
