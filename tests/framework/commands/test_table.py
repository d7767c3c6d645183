"""Whole sweeps: ablations, one table, the exit status, cells in processes of their own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf

from framework.config import build, parts
from framework.config.plugins import CONF, options
from tests.fixtures import command_line
from tests.fixtures.command_line import Ran

ROOT = Path(__file__).resolve().parents[3]
SMALL = ("benchmark=needle", "benchmark.videos=2", "benchmark.frames=64", "benchmark.questions=2", "progress=false")


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`sweep("preset=uniform", ...)` runs `sieve eval` with a small benchmark into tmp_path/sweep."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of processes that a launcher starts
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(*words: str) -> Ran:
        return command_line.sieve("eval", *words, *SMALL, f"benchmark.folder={tmp_path}", "hydra.sweep.dir=sweep")

    return call


def test_an_ablation_ends_in_one_table_and_its_cells_share_the_backbone(
    sweep: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    construct = build._construct

    def counted(node: dict, interface: type, key: str) -> object:
        loaded.append(key)
        return construct(node, interface, key)

    monkeypatch.setattr(build, "_construct", counted)
    monkeypatch.setattr(parts, "_backbones", {})
    ran = sweep("ablation=refiner", "preset=adapttoken", "budget=8")
    assert ran.status == 0, ran.err
    cells = list(tmp_path.glob("sweep/*/summary.json"))
    wanted = OmegaConf.load(CONF / "ablation" / "refiner.yaml").hydra.sweeper.params.refiner.split(",")
    assert len(cells) == len(wanted) and loaded.count("backbone.adapter") == 1
    table = ran.out[ran.out.index("accuracy with its 95 %") :]
    assert all(cell.parent.name in table for cell in cells) and all(option in table for option in wanted)
    (markdown,) = tmp_path.glob("sweep/tables/refiner-*.md")
    assert f"| {wanted[0]} |" in markdown.read_text() and markdown.with_suffix(".csv").exists()
    assert markdown.name in ran.out
    assert not (tmp_path / "sweep" / ".runs").exists()


def test_what_is_typed_takes_the_place_of_what_an_ablation_varies(sweep: Callable[..., Ran], tmp_path: Path) -> None:
    ran = sweep("-m", "ablation=budget", "preset=uniform", "budget=4,8")
    assert ran.status == 0, ran.err
    kept = {json.loads(file.read_text())["tokens_kept_mean"] for file in tmp_path.glob("sweep/*/summary.json")}
    assert kept == {4, 8}


def test_seeds_are_one_row_in_the_order_typed(sweep: Callable[..., Ran], tmp_path: Path) -> None:
    ran = sweep("-m", "preset=uniform", "seed=2,1", "refiner=none,location_aware", "budget=8,4")
    assert ran.status == 0, ran.err
    (markdown,) = tmp_path.glob("sweep/tables/sweep-*.md")
    rows = [line.split(" | ") for line in markdown.read_text().splitlines() if line.startswith("| ")][2:]
    chosen = [(row[0].removeprefix("| "), row[1], row[-1].removesuffix(" |")) for row in rows]
    assert chosen == [(refiner, budget, "2") for refiner in ("none", "location_aware") for budget in ("8", "4")]
    assert {row[3] for row in rows} == {"8"}  # questions: two of two videos, of two seeds
    with open(markdown.with_suffix(".csv"), newline="") as file:
        runs = [line for line in csv.DictReader(file) if line["of"] == "run"]
    assert len(runs) == 8 and [line["seed"] for line in runs[:4]] == ["2", "1"] * 2


@pytest.mark.slow
def test_cells_in_processes_of_their_own_end_in_the_same_table(sweep: Callable[..., Ran], tmp_path: Path) -> None:
    ran = sweep("-m", "launcher=submitit_local", "preset=uniform", "budget=8,0")
    assert ran.status == 2, ran.err  # the process that started the sweep says that a cell failed, and why
    assert "budget=0: budget must be a whole number of tokens >= 1" in " ".join(ran.out.split())
    (finished,) = tmp_path.glob("sweep/*/summary.json")
    table = ran.out[ran.out.index("accuracy with its 95 %") :]
    assert finished.parent.name in table and "failed" in table
    assert list(tmp_path.glob("sweep/.submitit/*_log.out"))
    assert json.loads(finished.read_text())["n"] == 4
    here = sweep("-m", "preset=uniform", "budget=8")
    assert here.status == 0, here.err  # the same cell here is the same run: nothing is left to do
    assert list(tmp_path.glob("sweep/*/summary.json")) == [finished]


def test_a_launcher_that_is_not_installed_is_named(sweep: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    launchers = dict(ConfigStore.instance().repo["hydra"]["launcher"])
    kept = {name: node for name, node in launchers.items() if not name.startswith("submitit")}
    assert len(kept) < len(launchers)
    monkeypatch.setitem(ConfigStore.instance().repo["hydra"], "launcher", kept)
    ran = sweep("-m", "launcher=submitit", "preset=uniform", "budget=8")
    assert ran.status == 2 and "pip install 'tokensieve[slurm]'" in ran.err


@pytest.mark.parametrize(("name", "target"), [("submitit", "SlurmLauncher"), ("submitit_local", "LocalLauncher")])
def test_a_launcher_takes_sweeps_and_single_runs(name: str, target: str) -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = [f"launcher={name}", "world.devices=4", "world.num_nodes=2"]
        hydra = compose("eval", words, return_hydra_config=True).hydra
    GlobalHydra.instance().clear()
    assert hydra.mode.name == "MULTIRUN" and hydra.launcher._target_.endswith(target)
    if name == "submitit":  # a process per device, as the world expects
        asked = hydra.launcher
        assert (asked.nodes, asked.tasks_per_node, asked.gpus_per_node) == (2, 4, 4)


@pytest.mark.parametrize("name", options("ablation"))
def test_every_cell_of_an_ablation_composes(name: str) -> None:
    """One key, several values, the first of them what the preset has anyway."""
    preset = "adapttoken_agreement" if name in ("stopping", "order") else "adapttoken"
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            whole = compose("eval", [f"preset={preset}", f"ablation={name}"], return_hydra_config=True)
            ((key, values),) = whole.hydra.sweeper.params.items()
            assert whole.hydra.runtime.choices.benchmark == "needle_faint"
            typed = compose("eval", ["benchmark=needle", f"ablation={name}"], return_hydra_config=True)
            assert typed.hydra.runtime.choices.benchmark == typed.benchmark.name == "needle"
            assert whole.hydra.mode.name == "MULTIRUN" and len(values.split(",")) >= 4
            for value in values.split(","):
                cell = compose("eval", [f"preset={preset}", f"{key}={value}"])
                for group, interface in parts.INTERFACES.items():
                    build.build(cell[group], interface, group)
    finally:
        Singleton.set_state(before)


def test_ablations_are_those_of_the_design() -> None:
    assert set(options("ablation")) >= {
        "relevance", "budget", "temperature", "splitter", "scorer", "refiner", "stopping", "order"
    }  # fmt: skip
