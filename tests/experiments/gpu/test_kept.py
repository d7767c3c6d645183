"""Results on disk: no step runs again, figures of another machine are refused, none begins late."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.gpu.kept import Kept

TOLD = {"machine": "cpu", "frames": "32"}


def _raises() -> dict[str, float]:
    raise AssertionError("this step is there already")


def test_a_step_is_on_disk_at_once_and_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "gpu.json"
    assert Kept(file, TOLD, 1).run("one", lambda: {"s": 2.5}) == {"s": 2.5}
    assert json.loads(file.read_text()) == {"told": TOLD, "steps": {"one": {"s": 2.5}}}
    again = Kept(file, TOLD, 1)
    assert again.run("one", _raises) == {"s": 2.5}
    assert again.run("two", lambda: {"s": 1}) == {"s": 1}
    assert list(json.loads(file.read_text())["steps"]) == ["one", "two"]


def test_no_step_begins_after_the_time_and_what_is_left_is_named(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "gpu.json", TOLD, 0, steps={"one": {"s": 1}})
    assert kept.run("one", _raises) == {"s": 1}
    assert kept.run("two", _raises) is None
    assert not kept.wants(["one", "three"]) and kept.left == ["two", "three"]
    assert not (tmp_path / "gpu.json").exists()


def test_what_is_wanted_is_what_is_not_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "gpu.json", TOLD, 1, steps={"one": {}})
    assert kept.wants(["one", "two"]) and not kept.wants(["one"]) and kept.left == []


def test_figures_of_another_machine_or_plan_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "gpu.json"
    Kept(file, TOLD, 1).run("one", lambda: {"s": 1})
    with pytest.raises(SystemExit, match=r"with machine 'cpu' and not 'H200': give another folder="):
        Kept(file, {**TOLD, "machine": "H200"}, 1)
