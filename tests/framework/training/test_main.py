"""From configuration to training: where it runs, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from framework.core.errors import UsageError
from framework.training.main import main

RUNNING = {"threads": 1, "workers": 0, "accelerator": "cpu", "progress": False, "save_every": 1, "measure_every": 1}
RUNNING |= {"measure_batches": 1, "logger": "csv", "cache": "cache"}


def configured(folder: Path, recipe: dict[str, Any], **running: Any) -> Any:
    parts = {"recipe": recipe, "seed": 0, "folder": str(folder), "running": {**RUNNING, **running}}
    return OmegaConf.create(parts)


def test_an_unknown_logger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"running\.logger: got 'paper', expected one of csv, wandb"):
        main(configured(tmp_path, {"name": "x"}, logger="paper"))


LAB = {"_target_": "framework.lab.training.recipe.LabRecipe", "name": "x"}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"name": "x"}, r"recipe: no `_target_`; choose an option"),
        ({"_target_": "no.such.Recipe"}, r"recipe\._target_: no\.such\.Recipe is no class that can be imported"),
        (
            {"_target_": "framework.training.schedule.Schedule"},
            r"recipe: framework\.training\.schedule\.Schedule is no TrainingRecipe",
        ),
        (LAB, r"recipe\.phases is missing; LabRecipe needs \['name', 'phases'\]"),
        ({**LAB, "phases": {}, "fases": 1}, r"recipe\.fases: LabRecipe has no such key"),
    ],
)
def test_what_is_no_recipe_is_refused_like_a_strategy(tmp_path: Path, recipe: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        main(configured(tmp_path / "run", recipe))
    assert not (tmp_path / "run").exists()
