"""Makes one table for all runs of a sweep, as a Hydra callback: it sees every job end, and the sweep after the last.

Under a launcher the runs run in other processes, on other machines. There a copy of this callback writes down what
became of the run, and the original reads it.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from framework.commands.sweeping import announce, sweep_of
from framework.config.build import build
from framework.config.identity import register_resolvers
from framework.core.errors import Failure, UsageError
from framework.report.console import console
from framework.report.tables import print_sheet
from framework.trackers import Sweep, Tracker

_log = logging.getLogger(__name__)


class SweepTable(Callback):
    """Collects the runs, prints them side by side, and ends a sweep with the status of its first failed run."""

    def __init__(self) -> None:
        self._place: Path | None = None
        self._sweep: Sweep | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy in a launcher's process: the first of our code that runs there, before its configuration is read."""
        self.__dict__.update(state)
        register_resolvers()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Chooses where runs write down what became of them, and sees what is varied."""
        self._sweep = sweep_of(config)
        self._place = Path(config.hydra.sweep.dir).absolute() / ".runs" / uuid4().hex

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Tells the run that begins, in the process that runs it, which sweep it belongs to."""
        announce(self._sweep)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Writes down one run, in the process that ran it. Of several processes only the first does so."""
        if self._place is None or not _first():
            return
        from framework.evaluation.sweep import SweepRun

        result = job_return._return_value
        failed = Failure(1, f"{type(result).__name__}: {result}") if job_return.status is JobStatus.FAILED else result
        failure = failed if isinstance(failed, Failure) else Failure(0, "")
        pairs = (override.partition("=") for override in job_return.overrides or [])
        SweepRun(
            number=config.hydra.job.num,
            choices={key: value for key, _, value in pairs},
            folder=Path(config.hydra.runtime.output_dir),
            failure=failure.message,
            status=failure.status,
        ).keep(self._place)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints all runs, and keeps the table beside the runs. Ends with the status of the first failed run."""
        if self._place is None or not _first():
            return
        from framework.evaluation.sweep import compare, read_runs
        from framework.report.sweep import write

        runs = read_runs(self._place)
        shutil.rmtree(self._place, ignore_errors=True)
        with suppress(OSError):  # another sweep's runs are in there
            self._place.parent.rmdir()
        if not runs:
            return
        rows = compare(runs)
        show(console(), rows)
        title = str(config.hydra.runtime.choices.get("ablation") or "")
        files = write(rows, Path(config.hydra.sweep.dir) / "tables", title)
        console().print(f"table     {files[0]} and {files[1].suffix}", soft_wrap=True)
        if self._sweep is not None and any(row.summary for row in rows):
            mirror(config, self._sweep, files)
        if failed := [run.status for run in runs if run.status]:
            sys.exit(failed[0])  # Hydra makes warnings of errors in callbacks, and nothing of a return value


def mirror(config: DictConfig, sweep: Sweep, files: Sequence[Path]) -> None:
    """Shows the table to the tracker of the sweep. What keeps it from that is one warning."""
    try:
        build(config.tracker, Tracker, "tracker").table(sweep, files)  # type: ignore[type-abstract]
    except UsageError as error:  # Hydra would swallow it, and the status of failed runs with it
        _log.warning("the table of the sweep goes to no tracker: %s", error)


def show(out: Console, rows: Any) -> None:
    """Prints the table of a sweep."""
    from framework.report.sweep import sheet

    print_sheet(out, sheet(rows))


def _first() -> bool:
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) == 0
