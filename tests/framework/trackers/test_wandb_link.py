"""The wall around W&B: one warning whatever happens; files that a run is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from framework.trackers.wandb_link import Link, attach
from tests.fixtures.offline_wandb import offline_run

pytestmark = pytest.mark.usefixtures("closed")


def link(folder: Path) -> Link:
    made = Link("test", None, 1.0, 20.0)
    made.folder = folder
    return made


class Dying:
    ended = 0

    def log(self, values: object) -> None:
        raise ConnectionError("gone")

    def finish(self) -> None:
        self.ended += 1


def test_what_raises_is_one_warning_and_the_end_of_that_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = link(tmp_path)
    ours.run = Dying()
    ours.send({"accuracy": 1.0})
    ours.send({"accuracy": 1.0})
    assert caplog.text.count("stopped listening (ConnectionError: gone)") == 1 and str(tmp_path) in caplog.text
    assert not ours.close(lambda run: None)
    ours.run = dying = Dying()
    assert not ours.close(lambda run: run.log({}))
    assert caplog.text.count("did not take everything") == 1 and ours.run is None and not dying.ended


def test_files_are_copied_beside_those_of_the_run(tmp_path: Path) -> None:
    ours, results = link(tmp_path), tmp_path / "questions.jsonl"
    results.write_text("before")
    assert ours.open("offline", {"id": "abc", "config": {"budget": 8}}, "did not start")

    def conclude(run: Any) -> None:
        attach(run, "results-abc", "results", [results, tmp_path / "absent.json"])
        results.write_text("written again")

    assert ours.close(conclude)
    found = offline_run(tmp_path)
    (copy,) = found.artifacts["results-abc"].values()
    assert copy.read_text() == "before" and copy.is_relative_to(found.folder)
    assert found.config["budget"] == 8 and found.steps["accuracy"] == "questions"
