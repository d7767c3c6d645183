"""The evidence for QTSplus at toy size: arms are trained once and asked once, and the tables are the CSV's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from PIL import Image

from experiments.common import interval, read
from experiments.qtsplus import __main__ as qtsplus
from experiments.qtsplus import arms as qtsplus_arms
from framework.cli import main

TOY = (
    "recipe.schedule.steps=2 recipe.schedule.warmup=1 recipe.draw.videos=1 recipe.draw.questions=2 "
    "recipe.needles.train.kinds=[{split:when,opacity:1.0,videos:2}] recipe.needles.train.frames=64 "
    "recipe.needles.measure.kinds=[{split:when,opacity:1.0,videos:2}] recipe.needles.measure.frames=64"
)


@pytest.fixture
def here(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workplace in which arms are trained."""
    monkeypatch.setattr(qtsplus, "LENGTHS", (64,))
    monkeypatch.setattr(qtsplus_arms.subprocess, "run", inside)
    return workplace


def inside(command: list[str], check: bool) -> None:
    """`sieve train` in this process, which has loaded everything already."""
    assert command[:3] == [sys.executable, "-m", "framework.cli"] and check
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        main(command[3:])
    finally:
        Singleton.set_state(before)


def test_the_curve(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["kept=6,52", "videos=2", "splits=when", "backbone=lab", f"results={here}", f"words={TOY}"]
    qtsplus.main([*words, "arms=official Gumbel gate;learned ratio"])
    said, rows = capsys.readouterr().out, read(here / "qtsplus.csv")
    names = [
        "all tokens",
        "oracle",
        "uniform",
        "random",
        "random weights",
        "start",
        "attention",
        "attention of all words",
        "official Gumbel gate",
    ]
    assert [(row["kept"], row["run"]) for row in rows] == [(n, name) for n in (6, 52) for name in names]
    assert {row["questions"] for row in rows} == {4} and {row["videos"] for row in rows} == {2}
    full = [row["accuracy"] for row in rows if row["run"] == "all tokens"]
    assert full[0] == full[1], "all tokens are the same tokens whatever others keep"
    cell = {(row["run"], row["kept"]): row for row in rows}
    gate, even = (cell[name, 52] for name in ("official Gumbel gate", "uniform"))
    assert gate["minus_uniform"] == pytest.approx(gate["accuracy"] - even["accuracy"]) and even["minus_random"] is None
    assert qtsplus.accuracy_table(rows, "when") in said and interval(gate) in said
    assert qtsplus.difference_table(rows, 52) in said
    lengths = read(here / "qtsplus_lengths.csv")
    assert {(row["split"], row["frames"], row["kept"]) for row in lengths} == {
        (s, 64, 13) for s in qtsplus.LENGTH_SPLITS
    }
    ratios = read(here / "qtsplus_ratio.csv")
    assert [row["frames"] for row in ratios] == [256, 64, 64] and {row["same_in_training"] for row in ratios} == {1}
    assert all(row["fewest"] <= row["mean"] <= row["most"] <= 128 for row in ratios)
    assert Image.open(here / "qtsplus.png").width > 200
    answers = {path: path.stat().st_mtime_ns for path in (here / "outputs/qtsplus").rglob("*") if path.is_file()}
    qtsplus.main([*words, "arms=official Gumbel gate;learned ratio"])
    assert {path: path.stat().st_mtime_ns for path in answers} == answers, "nothing is trained or asked twice"


def test_an_arm_that_does_not_exist() -> None:
    with pytest.raises(SystemExit, match="only=none: there is no such arm; known: qtsplus; "):
        qtsplus_arms.main(["only=none"])
