"""Weights & Biases: configuration, running figures, the table of questions, plots, pictures, files, the summary.

Out of reach it goes offline, and after any failure it is silent: one warning, and the run goes on. A project, group or
tag that W&B would refuse is refused before, when the tracker is made. wandb is imported only then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from framework.core.errors import UsageError
from framework.evaluation.tracker import About, Line, Sweep, Tracker
from framework.report.question import draw_line
from framework.trackers import wandb_names
from framework.trackers.mirrored import digest, record, recorded
from framework.trackers.plots import save
from framework.trackers.wandb_link import FIGURES, X_AXIS, Link, attach
from framework.trackers.wandb_tables import caption, flat, for_pictures, question_table, sweep_table

MODES = ("online", "offline")
RESULTS = ("questions.jsonl", "summary.json", "config.yaml", "run.json")
_log = logging.getLogger(__name__)


class WandbTracker(Tracker):
    """Mirrors a run folder as one W&B run with the same id, so that a run that goes on goes on there, too.

    Raises UsageError for a setting out of range.
    """

    def __init__(
        self,
        project: str,
        entity: str | None,
        mode: str,
        group: str | None,
        tags: list[str],
        seconds_to_connect: float,
        seconds_to_finish: float,
        table_rows: int,
        pictures: int,
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"tracker.mode must be online or offline, got {mode!r}")
        for key, value in (("seconds_to_connect", seconds_to_connect), ("seconds_to_finish", seconds_to_finish)):
            if value <= 0:
                raise UsageError(f"tracker.{key} must be above 0, got {value}")
        for key, count in (("table_rows", table_rows), ("pictures", pictures)):
            if count < 0:
                raise UsageError(f"tracker.{key} must be 0 or more, got {count}")
        if group is not None and not 1 <= len(group) <= wandb_names.GROUP:
            raise UsageError(
                f"tracker.group has {len(group)} characters; W&B takes 1 to {wandb_names.GROUP}, null is our own"
            )
        _accepted("project", project=project)
        _accepted("tags", run_tags=tags)
        self.mode, self.group, self.tags, self.table_rows, self.pictures = mode, group, tags, table_rows, pictures
        self._link = Link(project, entity, seconds_to_connect, seconds_to_finish)
        self._names: dict[str, Any] = {}
        self._mode = ""  # of the run that is open, or that has been sent already; empty: neither
        self._told = False  # whether this process has logged figures

    def start(self, about: About) -> None:
        """Begins online, else offline in the run folder, else not at all. Waits where W&B has an earlier end."""
        self._names = wandb_names.of_run(about, self.group, self.tags)
        self._begin(about.folder, wait=not wandb_names.dealt_out())

    def log(self, values: Mapping[str, float]) -> None:
        """Logs running figures."""
        self._wake()
        self._told = True
        self._link.send(values)

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Sends tables, plots, pictures, files and the summary to W&B, and closes the W&B run.

        Sends nothing where W&B has exactly this already.
        """
        self._end(
            digest(summary, lines, self.group, self.tags, self.table_rows, self.pictures),
            lambda run: self._conclude(run, summary, lines),
        )

    def table(self, sweep: Sweep, files: Sequence[Path]) -> None:
        """Sends the table of a sweep to a W&B run of its own, in the group of the sweep's runs."""
        if wandb_names.dealt_out():
            _log.info("an agent of a W&B sweep has one run for this process: the table stays in %s", files[0].parent)
            return
        (file,) = (file for file in files if file.suffix == ".csv")
        self._names = wandb_names.of_sweep(sweep, self.group, self.tags)
        self._begin(file.parent, wait=True)
        self._end(
            digest(file.read_text(encoding="utf-8"), self.group, self.tags),
            lambda run: _show_table(run, sweep, files, file),
        )

    def _begin(self, folder: Path, wait: bool) -> None:
        """Open the W&B run. With `wait` only if W&B has no end of it yet, where it would be sent."""
        self._link.folder, self._link.run, self._mode, self._told = folder, None, "", False
        first = os.environ.get("WANDB_MODE", self.mode)
        for mode in MODES if first == "online" else (first,):
            if wait and self._key(mode) in recorded(folder):
                self._mode = mode
                return
            failure = "cannot be reached, going offline" if mode == "online" else "did not start"
            if self._link.open(mode, self._names, failure):
                self._mode = mode
                return

    def _wake(self) -> None:
        """Open the run that waited: there is something new."""
        if self._mode and self._link.run is None and not self._told:
            self._begin(self._link.folder, wait=False)

    def _end(self, sent: str, conclude: Any) -> None:
        if self._link.run is None and recorded(self._link.folder).get(self._key(self._mode)) == sent:
            _log.info("W&B has this already: nothing is sent")
            return
        self._wake()
        if self._link.close(conclude) and self._mode in MODES and not wandb_names.dealt_out():
            record(self._link.folder, self._key(self._mode), sent)

    def _key(self, mode: str) -> str:
        return f"{mode} {self._link.entity or ''}/{self._link.project}/{self._names['id']}"

    def _conclude(self, run: Any, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        import wandb

        media: dict[str, Any] = {
            f"plots/{path.stem}": wandb.Image(str(path)) for path in save(lines, self._link.folder / "plots")
        }
        if shown := for_pictures(lines, self.pictures):
            media["pictures"] = [
                wandb.Image(str(self._drawn(place, line)), caption=caption(line)) for place, line in enumerate(shown, 1)
            ]
        if self.table_rows and lines:
            columns, rows = question_table(lines[: self.table_rows])
            media["question_table"] = wandb.Table(columns=columns, data=rows)
        if not self._told and lines:  # all of it was answered before: the charts have their last point at least
            media |= {X_AXIS: len(lines), **{name: summary[name] for name in FIGURES if summary.get(name) is not None}}
        if media:
            run.log(media)
        attach(run, f"results-{run.id}", "results", [self._link.folder / name for name in RESULTS])
        run.summary.update(flat(summary))

    def _drawn(self, place: int, line: Line) -> Path:
        path = self._link.folder / "plots" / f"question-{place}.png"
        draw_line(path, line, self._names["name"])
        return path


def _show_table(run: Any, sweep: Sweep, files: Sequence[Path], file: Path) -> None:
    import wandb

    columns, rows = sweep_table(file)
    run.log({"comparison": wandb.Table(columns=columns, data=rows)})
    attach(run, f"table-{sweep.id}", "table", files)


def _accepted(key: str, **setting: Any) -> None:
    """UsageError that names the key where W&B refuses a setting."""
    import wandb

    try:
        wandb.Settings(**setting)
    except ValidationError as error:
        reason = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        raise UsageError(f"tracker.{key}: {reason}") from error
    except wandb.errors.UsageError as error:
        raise UsageError(f"tracker.{key}: {error}") from error
