"""W&B sweep definitions: well-formed, and every command line that an agent would start composes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args, load_sweep_config

from framework.commands.catalogue import commands
from framework.config.identity import identity, register_resolvers
from framework.config.plugins import CONF

SWEEPS = sorted((Path(__file__).resolve().parents[2] / "experiments" / "sweeps").glob("*.yaml"))
KEYS = {"name", "description", "method", "metric", "program", "command", "parameters", "early_terminate", "run_cap"}


def started(sweep: dict[str, Any]) -> list[list[str]]:
    """The command lines of a grid, put together as W&B's agent does."""
    names = list(sweep["parameters"])
    lines = []
    for values in itertools.product(*(sweep["parameters"][name]["values"] for name in names)):
        given = {"args": {name: {"value": value} for name, value in zip(names, values, strict=True)}}
        variables = {**create_sweep_command_args(given), "env": ["/usr/bin/env"], "program": [sweep["program"]]}
        line: list[str] = []
        for word in create_sweep_command(sweep["command"]):
            line += variables[word[2:-1]] if word.startswith("${") else [word]
        lines.append(line)
    return lines


@pytest.fixture
def composed() -> Iterator[Callable[[list[str]], DictConfig]]:
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda overrides: compose(commands()["eval"].config, overrides)
    Singleton.set_state(before)


def test_there_is_one() -> None:
    assert SWEEPS


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_a_sweep_is_what_wandb_reads(file: Path) -> None:
    sweep = load_sweep_config(str(file))
    assert sweep is not None and set(sweep) <= KEYS
    assert sweep["method"] == "grid" and sweep["metric"] == {"name": "accuracy", "goal": "maximize"}
    assert all(set(parameter) == {"values"} and parameter["values"] for parameter in sweep["parameters"].values())
    for line in started(sweep):
        assert line[:3] == ["/usr/bin/env", "sieve", "eval"] and "tracker=wandb" in line
        assert not any(word.startswith(("-", "$")) for word in line)


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_every_run_of_a_sweep_composes_and_is_another(file: Path, composed: Callable[[list[str]], DictConfig]) -> None:
    sweep = load_sweep_config(str(file))
    assert sweep is not None
    lines = started(sweep)
    assert len(lines) == math.prod(len(parameter["values"]) for parameter in sweep["parameters"].values())
    found = [composed(line[3:]) for line in lines]
    assert len({identity(cfg) for cfg in found}) == len(lines)
    for key, parameter in sweep["parameters"].items():
        reached = [OmegaConf.select(cfg, key) for cfg in found]
        if not OmegaConf.is_config(reached[0]):  # a value; of a group, the identity above says that options differ
            assert set(reached) == set(parameter["values"])
