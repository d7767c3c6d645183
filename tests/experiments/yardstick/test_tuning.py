"""What is frozen on calibration videos, and what is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from experiments.common import composing
from experiments.yardstick import tuning
from experiments.yardstick.answering import Cell
from experiments.yardstick.cost import Cost
from experiments.yardstick.method import Method
from experiments.yardstick.tuning import Calibration, apart, tune, tuned
from framework.core.errors import UsageError
from framework.core.model_files import ASSETS

CALIBRATION = Calibration((7,), 2, 256, (0.05, 0.1), (8, 16), ("backbone=lab", "benchmark=needle"))
METHOD = Method("m", "flexselect", settings={"backbone.group_ticks": [8, 16, 32]})
RIGHT = {"8": 1, "16": 2, "32": 2}  # of two questions
PRICE = {"8": 1.0, "16": 9.0, "32": 5.0}


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Stands for the runs: group sizes have the accuracies and the prices above."""
    asked: list[Any] = []

    def answered(self: Cell, name: str, words: list[str], budget: int) -> Path:
        asked.append((self.values["benchmark.opacity"], words[-1], budget))
        return Path(words[-1].partition("=")[2])

    monkeypatch.setattr(Cell, "answered", answered)
    monkeypatch.setattr(tuning, "lines", lambda run: [{"correct": n < RIGHT[str(run)]} for n in range(2)])
    monkeypatch.setattr(tuning, "cost", lambda words, cell, budget: Cost(PRICE[words[-1].partition("=")[2]], 0.0, 0.0))
    monkeypatch.setattr(tuning, "commits", lambda runs: "abc")
    with composing():
        yield asked


def test_the_most_accurate_is_frozen_and_of_equal_ones_the_cheapest(answers: list[Any], tmp_path: Path) -> None:
    assert tune(METHOD, CALIBRATION, tmp_path) == ("backbone.group_ticks=32",)
    assert len(answers) == 12 and {(o, b) for o, _, b in answers} == {(o, b) for o in (0.05, 0.1) for b in (8, 16)}
    frozen: Any = OmegaConf.to_container(OmegaConf.load(tmp_path / "m.yaml"))
    assert frozen["words"] == ["backbone.group_ticks=32"] and (frozen["accuracy"], frozen["tried"]) == (1.0, 3)
    assert tuned(METHOD, CALIBRATION, tmp_path) == ("backbone.group_ticks=32",)
    tune(METHOD, CALIBRATION, tmp_path)
    assert len(answers) == 12  # it was frozen: nothing is tried twice


def test_a_method_without_a_recorded_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"m has no recorded setting; tune it first: .* methods=m"):
        tuned(METHOD, CALIBRATION, tmp_path)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seeds": (8,)}, r"tuned with seeds=\[7\], but this comparison has seeds=\[8\]"),
        ({"budgets": (16, 64)}, r"tuned with budgets=\[8, 16\]"),
        ({"common": ("backbone=lab", "benchmark=needle_faint")}, "tuned with benchmark="),
    ],
)
def test_what_was_tuned_on_something_else_is_refused(other: dict[str, Any], named: str, tmp_path: Path) -> None:
    tune(METHOD, CALIBRATION, tmp_path)
    changed = Calibration(**{**vars(CALIBRATION), **other})
    with pytest.raises(UsageError, match=named):
        tuned(METHOD, changed, tmp_path)


def test_what_was_tuned_on_other_weights_is_refused(tmp_path: Path) -> None:
    tune(METHOD, CALIBRATION, tmp_path)
    shutil.copytree(ASSETS / "lab", tmp_path / "other")
    weights = tmp_path / "other" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    other = replace(CALIBRATION, common=(f"backbone.adapter.checkpoint={weights.parent}", *CALIBRATION.common))
    with pytest.raises(UsageError, match="tuned with weights="):
        tuned(METHOD, other, tmp_path)


def test_a_method_that_brings_its_own_model_is_tuned_for_that(tmp_path: Path) -> None:
    shutil.copytree(ASSETS / "lab", tmp_path / "small")
    for key in ("backbone", "prober"):
        bring = {f"{key}.adapter.checkpoint": [str(tmp_path / "small")], "backbone.group_ticks": [8]}
        mine = Method("mine", "flexselect", settings={**({"prober": ["lab"]} if key == "prober" else {}), **bring})
        folder = tmp_path / key
        assert tune(mine, CALIBRATION, folder) == tuned(mine, CALIBRATION, folder)
    weights = tmp_path / "small" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    for key in ("backbone", "prober"):
        with pytest.raises(UsageError, match="tuned with weights="):
            tuned(replace(mine, settings={}), CALIBRATION, tmp_path / key)
    shutil.rmtree(tmp_path / "small")
    with pytest.raises(UsageError, match=r"checkpoint: .*small"):
        tuned(mine, CALIBRATION, tmp_path / "backbone")


def test_the_command_that_tunes_is_told_where_the_method_is(tmp_path: Path) -> None:
    place = Path("experiments/yardstick/ideas")
    typed = rf"methods=m source={place} tuned={tmp_path}$"
    with pytest.raises(UsageError, match=typed):
        tuned(replace(METHOD, folder=place), CALIBRATION, tmp_path)
    tune(replace(METHOD, folder=place), CALIBRATION, tmp_path)
    assert re.search(typed, (tmp_path / "m.yaml").read_text().splitlines()[0])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("words: [a=1]\n")
    with pytest.raises(UsageError, match=r"expected the keys .*delete the file and tune again"):
        tuned(METHOD, CALIBRATION, tmp_path)


def test_no_seed_is_tuned_on_and_tested_on() -> None:
    apart(CALIBRATION, [8, 9])
    with pytest.raises(UsageError, match="seeds: got 7, on which methods are tuned"):
        apart(CALIBRATION, [8, 7])
