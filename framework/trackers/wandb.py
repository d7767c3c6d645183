"""Weights & Biases: configuration, running figures, the table of questions, plots, the summary.

Out of reach it goes offline, and after any failure it is silent: one warning, and the run goes on. A project or tag
that W&B would refuse is refused before, when the tracker is made. wandb is imported only then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from framework.core.errors import UsageError
from framework.evaluation.tracker import About, Line, Tracker
from framework.trackers.plots import save

MODES = ("online", "offline")
COLUMNS: tuple[str, ...] = (
    "id",
    "video",
    "right",
    "parsed",
    "answer",
    "correct",
    "entropy",
    "groups_visited",
    "groups_total",
)
COLUMNS += ("tokens_kept", "tokens_seen", "evidence_found")
SHORT = 6  # characters of the id in a name
LONGEST = 64  # characters of a tag
COUNTED = ("errors", "absent/videos", "absent/rows")
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
        tags: list[str],
        seconds_to_connect: float,
        seconds_to_finish: float,
        table_rows: int,
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"tracker.mode must be online or offline, got {mode!r}")
        for key, value in (("seconds_to_connect", seconds_to_connect), ("seconds_to_finish", seconds_to_finish)):
            if value <= 0:
                raise UsageError(f"tracker.{key} must be above 0, got {value}")
        if table_rows < 0:
            raise UsageError(f"tracker.table_rows must be 0 or more, got {table_rows}")
        _accepted("project", project=project)
        _accepted("tags", run_tags=tags)
        self.project, self.entity, self.mode, self.tags = project, entity, mode, tags
        self.seconds_to_connect, self.seconds_to_finish, self.table_rows = (
            seconds_to_connect,
            seconds_to_finish,
            table_rows,
        )
        self._run: Any = None
        self._folder = Path()

    def start(self, about: About) -> None:
        """Begins online, else offline in the run folder, else not at all."""
        self._folder, self._run = about.folder, None
        mode = os.environ.get("WANDB_MODE", self.mode)
        if mode == "online" and not self._safely(lambda: self._begin(about, mode), "cannot be reached, going offline"):
            mode = "offline"
        if self._run is None:
            self._safely(lambda: self._begin(about, mode), "did not start")

    def log(self, values: Mapping[str, float]) -> None:
        """Logs running figures."""
        if self._run is not None:
            self._safely(lambda: self._run.log(dict(values)), "stopped listening")

    def finish(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        """Sends the table of questions, the plots and the summary to W&B, and closes the W&B run."""
        if self._run is not None:
            self._safely(lambda: self._conclude(summary, lines), "did not take everything")
        self._run = None

    def _safely(self, act: Callable[[], object], failure: str) -> bool:
        """Call `act`; whatever goes wrong is one warning and the end of this W&B run. Returns whether all went well."""
        try:
            act()
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B %s (%s): the run goes on, its results are in %s", failure, _short(error), self._folder)
            self._run = None
            _end_service()
            return False
        return True

    def _begin(self, about: About, mode: str) -> None:
        import wandb

        wandb.setup(wandb.Settings(x_disable_viewer=True))  # or the check for a key waits for the server
        if mode == "online" and not wandb.login(prompt=False, verify=False):
            raise ConnectionError("no key; `wandb login` or WANDB_API_KEY sets one")
        names = [name for name in (about.preset, about.benchmark, about.ablation) if name]
        self._run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=mode,  # type: ignore[arg-type]
            id=about.id,
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # a cell that failed before its end must not take the next one's figures
            dir=str(about.folder),
            name=f"{about.preset or 'own choice'} on {about.benchmark} {about.id[:SHORT]}",
            group=about.ablation or about.benchmark or None,
            job_type=about.preset or None,
            tags=list(dict.fromkeys([*self.tags, *(name[:LONGEST] for name in names)])),
            notes=" ".join(about.overrides),
            config=dict(about.config),
            settings=wandb.Settings(
                init_timeout=self.seconds_to_connect,
                finish_timeout=self.seconds_to_finish,
                finish_timeout_raises=True,
                silent=True,
                console="off",
            ),
        )
        _log.info("W&B %s: %s", mode, self._run.url if mode == "online" else self._run.dir)

    def _conclude(self, summary: Mapping[str, Any], lines: Sequence[Line]) -> None:
        import wandb

        media: dict[str, Any] = {
            f"plots/{path.stem}": wandb.Image(str(path)) for path in save(lines, self._folder / "plots")
        }
        if self.table_rows and lines:
            columns, rows = question_table(lines[: self.table_rows])
            media["question_table"] = wandb.Table(columns=columns, data=rows)
        if media:
            self._run.log(media)
        self._run.summary.update(flat(summary))
        self._run.finish()


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


def question_table(lines: Sequence[Line]) -> tuple[list[str], list[list[Any]]]:
    """Returns columns and rows: what happened to each question, a column per kind of stratum.

    What each group said is left out.
    """
    strata = list(dict.fromkeys(name for line in lines for name in line["strata"]))
    rows = [
        [*(line[name] for name in COLUMNS), *(", ".join(line["strata"].get(name, ())) for name in strata)]
        for line in lines
    ]
    return [*COLUMNS, *strata], rows


def flat(summary: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Turns `{"a": {"b": [1, 2]}}` into `{"a/b/0": 1, "a/b/1": 2}`.

    Of what was missing or failed, listed by name, only the number stays.
    """
    found: dict[str, Any] = {}
    for name, value in summary.items():
        key = f"{path}{name}"
        if key in COUNTED:
            found[key] = len(value)
        elif isinstance(value, Mapping):
            found |= flat(value, f"{key}/")
        elif isinstance(value, (list, tuple)):
            found |= flat({str(place): item for place, item in enumerate(value)}, f"{key}/")
        else:
            found[key] = value
    return found


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _end_service() -> None:
    """End the process that W&B runs beside ours, so that a later run gets a new one and leaving is not held up."""
    import wandb

    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # it may be gone already; SystemExit is how W&B passes on its status
        _log.debug("W&B's service ended with %r", error)
