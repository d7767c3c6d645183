"""The runs behind thresholds: ordinary run folders, gone on with, and tables of them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from framework.commands.threshold_plan import Planned
from framework.commands.threshold_runs import conduct
from framework.config.identity import describe, identity
from framework.core.errors import RunError

TOY = runpy.run_path(str(Path(__file__).parents[1] / "evaluation" / "toy_run.py"))

OPACITIES = (0.1, 0.3, 1.0)


def plan(**changes: Any) -> list[Planned]:
    return [
        Planned(preset, opacity, 0, (f"preset={preset}", f"benchmark.opacity={opacity}"), OmegaConf.create(
            {"benchmark": {"name": "toy", "opacity": opacity}, "scorer": {"name": preset}, "budget": 8, **changes}
        ))
        for opacity in OPACITIES
        for preset in ("uniform", "random")
    ]  # fmt: skip


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Every pipeline that is built, on the toy benchmark."""
    built: list[Any] = []

    def pipeline(cfg: Any) -> Any:
        built.append(TOY["ToyPipeline"]())
        return built[-1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("framework.commands.threshold_runs.build_pipeline", pipeline)
    monkeypatch.setattr("framework.commands.threshold_runs.build", lambda *_: TOY["ToyBenchmark"]())
    return built


def test_every_run_has_its_folder_and_is_not_run_twice(toys: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    folder = conduct(plan(), resamples=100, progress=False)
    assert {file.name for file in folder.iterdir()} == {
        *("threshold.md", "thresholds.csv", "accuracy.csv", "threshold.png")
    }
    out = capsys.readouterr().out
    assert "uniform" in out and "random" in out and str(folder / "threshold.png") in out
    for one in plan():
        run = Path("outputs") / "toy" / identity(one.cfg)
        assert describe(run)["preset"] == one.preset and describe(run)["overrides"] == list(one.words)
        assert (run / "summary.json").is_file()
    assert all(len(toy.calls) == 9 for toy in toys) and len(toys) == 6
    assert conduct(plan(), resamples=100, progress=False) == folder
    assert all(toy.calls == [] for toy in toys[6:]) and len(toys) == 12
    assert conduct(plan(budget=9), resamples=100, progress=False) != folder


def test_a_failed_question_ends_it(toys: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TOY["ToyPipeline"](fails=lambda names: RuntimeError("broke") if "3-1" in names else None)
    monkeypatch.setattr("framework.commands.threshold_runs.build_pipeline", lambda cfg: broken)
    with pytest.raises(RunError, match=r"outputs/toy/.*: 1 questions failed, and presets are compared"):
        conduct(plan(), resamples=100, progress=False)
