"""Run identity, run folders, and a tracker that cannot hurt."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.errors import UsageError
from framework.tracking import WandbTracker, claim, identity, versions

ROOT = Path(__file__).resolve().parents[2]


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
        "from omegaconf import OmegaConf; from framework.tracking import identity; import sys;"
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


def wandb(mode: str) -> WandbTracker:
    return WandbTracker("tokensieve-test", None, mode, [], 2.0)


TRACKED = """
import sys
from pathlib import Path
from framework.tracking import WandbTracker
tracker = WandbTracker("tokensieve-test", None, sys.argv[1], [], 2.0)
tracker.start(Path(sys.argv[2]), "abc", {"budget": 32})
tracker.log({"accuracy": 0.5})
tracker.finish({"accuracy": 0.5})
print("went on")
"""


@pytest.mark.parametrize("case", ["offline", "no key", "closed port"])
def test_wandb_out_of_reach_is_offline(tmp_path: Path, case: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment = {**kept, "WANDB_BASE_URL": closed, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    if case == "closed port":
        environment["WANDB_API_KEY"] = "0" * 40
    words = [sys.executable, "-c", TRACKED, "offline" if case == "offline" else "online", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60)
    assert done.stdout.strip().endswith("went on"), done.stderr
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert ("W&B" in done.stderr) == (case != "offline")


def test_wandb_that_dies_in_the_middle_only_warns(caplog: pytest.LogCaptureFixture) -> None:
    class Dying:
        def log(self, values: object) -> None:
            raise ConnectionError("gone")

    tracker = wandb("offline")
    tracker._run = Dying()
    tracker.log({"accuracy": 1.0})
    tracker.log({"accuracy": 1.0})
    tracker.finish({"accuracy": 1.0})
    assert caplog.text.count("gone") == 1


def test_wrong_mode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tracker\.mode"):
        wandb("sometimes")
