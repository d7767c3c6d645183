"""Run identity and run folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.config.identity import claim, identity, versions
from framework.core.errors import UsageError


def config(**changes: object) -> DictConfig:
    base = {
        "budget": "${backbone.budget}",
        "backbone": {"budget": 32, "adapter": {"checkpoint": "asset:lab"}},
        "benchmark": {"name": "needle", "folder": "~/a", "videos": 8},
        "tracker": {"project": "x"},
        "seed": 0,
    }
    return OmegaConf.create({**base, **changes})


def test_identity_is_the_same_in_another_process_and_order() -> None:
    shuffled = OmegaConf.create(dict(reversed(list(config().items_ex(resolve=False)))))
    assert identity(shuffled) == identity(config())
    program = (
        "from omegaconf import OmegaConf; from framework.config.identity import identity; import sys;"
        "print(identity(OmegaConf.create(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, OmegaConf.to_yaml(config())], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == identity(config())


def test_tracker_and_places_do_not_count_but_results_do() -> None:
    mine = identity(config())
    assert len(mine) == 10
    assert identity(config(tracker={"project": "other"})) == mine
    assert identity(config(hydra={"run": {"dir": "x"}})) == mine
    assert identity(config(benchmark={"name": "needle", "folder": "/elsewhere", "videos": 8})) == mine
    assert identity(config(benchmark={"name": "needle", "folder": "~/a", "videos": 9})) != mine
    assert identity(config(seed=1)) != mine
    assert identity(config(budget=32)) == mine  # the value counts, not how it was written
    assert identity(config(budget=33)) != mine


def test_a_folder_belongs_to_one_configuration(tmp_path: Path) -> None:
    claim(tmp_path / "run", config())
    claim(tmp_path / "run", config())
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["id"] == identity(config()) and about["versions"]["torch"]
    assert OmegaConf.load(tmp_path / "run" / "config.yaml").budget == 32
    with pytest.raises(UsageError, match=r"another configuration.*hydra\.run\.dir"):
        claim(tmp_path / "run", config(seed=1))


def test_versions_name_what_matters() -> None:
    assert {"python", "torch", "transformers", "hydra-core"} <= set(versions())
