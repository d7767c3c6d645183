"""One W&B run at a time, behind a wall: whatever W&B does is one warning, and the run goes on."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

X_AXIS, FIGURES = "questions", ("accuracy", "groups_visited_share", "failed", "seconds_per_question")
_log = logging.getLogger(__name__)


class Link:
    """Holds the connection to W&B, and the run that is open there, if any."""

    def __init__(self, project: str, entity: str | None, seconds_to_connect: float, seconds_to_finish: float) -> None:
        self.project, self.entity = project, entity
        self.seconds_to_connect, self.seconds_to_finish = seconds_to_connect, seconds_to_finish
        self.run: Any = None
        self.folder = Path()  # where W&B's files lie, and the results

    def open(self, mode: str, names: Mapping[str, Any], failure: str) -> bool:
        """Begins a run that is called `names`, or goes on with it online. Returns whether that went well."""
        return self.safely(lambda: self._begin(mode, names), failure)

    def send(self, values: Mapping[str, Any]) -> None:
        """Sends figures or media to the open run, if there is one."""
        if self.run is not None:
            self.safely(lambda: self.run.log(dict(values)), "stopped listening")

    def close(self, act: Callable[[Any], object]) -> bool:
        """Ends the open run, after a last thing done with it. Returns whether W&B took everything."""
        if self.run is None:
            return False
        complete = self.safely(lambda: (act(self.run), self.run.finish()), "did not take everything")
        self.run = None
        return complete

    def safely(self, act: Callable[[], object], failure: str) -> bool:
        """Calls `act`, and returns whether all went well. If not, there is one warning, and this W&B run is over."""
        try:
            act()
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B %s (%s): the run goes on, its results are in %s", failure, _short(error), self.folder)
            self.run = None
            _end_service()
            return False
        return True

    def _begin(self, mode: str, names: Mapping[str, Any]) -> None:
        import wandb

        wandb.setup(wandb.Settings(x_disable_viewer=True))  # or the check for a key waits for the server
        if mode == "online" and not wandb.login(prompt=False, verify=False):
            raise ConnectionError("no key; `wandb login` or WANDB_API_KEY sets one")
        self.run = wandb.init(
            project=self.project,
            entity=self.entity,
            mode=mode,  # type: ignore[arg-type]
            resume="allow" if mode == "online" else None,
            reinit="create_new",  # a run that failed before its end must not take the next one's figures
            dir=str(self.folder),
            settings=wandb.Settings(
                init_timeout=self.seconds_to_connect,
                finish_timeout=self.seconds_to_finish,
                finish_timeout_raises=True,
                silent=True,
                console="off",
            ),
            **names,
        )
        for figure in FIGURES:
            self.run.define_metric(figure, step_metric=X_AXIS)
        _log.info("W&B %s: %s", mode, self.run.url if mode == "online" else self.run.dir)


def attach(run: Any, name: str, kind: str, files: Sequence[Path]) -> None:
    """Gives a W&B run these files as an artifact. What is not there is left out.

    They are copied beside W&B's own files: what lies in a run folder may be written again before it is uploaded.
    """
    import wandb

    copies = Path(run.dir).parent / name
    copies.mkdir(parents=True, exist_ok=True)
    artifact = wandb.Artifact(name, type=kind)
    for file in (file for file in files if file.is_file()):
        artifact.add_file(shutil.copy(file, copies), policy="immutable")
    run.log_artifact(artifact)


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _end_service() -> None:
    """End the process that W&B runs beside ours, so that a later run gets a new one and leaving is not held up."""
    import wandb

    try:
        wandb.teardown()
    except (Exception, SystemExit) as error:  # it may be gone already; SystemExit is how W&B passes on its status
        _log.debug("W&B's service ended with %r", error)
