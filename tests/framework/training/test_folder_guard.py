"""A folder of a training goes on with its own recipe only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from framework.core.errors import UsageError
from framework.training.folder_guard import FILE, LAST, claim_folder
from framework.training.main import main

RECIPE: dict[str, Any] = {"seed": 0, "gaze": {"start": None, "schedule": {"steps": 1000}, "budgets": [1, 2]}}


def test_the_same_recipe_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    claim_folder(folder, RECIPE)
    assert OmegaConf.load(folder / FILE) == RECIPE
    (folder / LAST).touch()
    claim_folder(folder, RECIPE)


def test_another_is_refused_where_one_has_begun(tmp_path: Path) -> None:
    claim_folder(tmp_path, RECIPE)
    other = {"seed": 1, "gaze": {"start": "ntp", "schedule": {"steps": 1000}, "budgets": [1, 2], "lean": True}}
    claim_folder(tmp_path, other)  # nothing was trained yet
    (tmp_path / LAST).touch()
    words = r"seed: 1 there, 0 now; gaze\.start: ntp there, None now; gaze\.lean: True there, None now\)"
    with pytest.raises(UsageError, match=words):
        claim_folder(tmp_path, RECIPE)
    assert OmegaConf.load(tmp_path / FILE) == other


def test_a_folder_of_before_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / LAST).touch()
    claim_folder(tmp_path, RECIPE)
    assert (tmp_path / FILE).exists()


def test_sieve_train_asks(tmp_path: Path) -> None:
    running = {"threads": 1, "workers": 0, "accelerator": "cpu", "progress": False, "save_every": 1}
    running |= {"measure_every": 1, "measure_batches": 1, "logger": "csv", "cache": str(tmp_path)}
    recipe = {"_target_": "framework.lab.training.recipe.LabRecipe", "name": "none", "phases": {}}
    cfg = OmegaConf.create({"recipe": recipe, "seed": 0, "folder": str(tmp_path), "running": running})
    claim_folder(tmp_path, {"recipe": {**recipe, "name": "other"}, "seed": 0})
    (tmp_path / LAST).touch()
    with pytest.raises(UsageError, match=r"recipe\.name: other there, none now"):
        main(cfg)
