"""Every option in conf/ is built as its interface and keeps its contract; presets only choose."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.config import plugins
from framework.config.build import build
from framework.config.parts import INTERFACES
from framework.core.interfaces import GroupSplitter
from framework.testing import contracts, toys

ROOT = Path(__file__).parent.parent
OPTIONS = [(group, option) for group in INTERFACES for option in plugins.options(group)]
PRESETS = list(plugins.options("preset"))
PACKAGES = {"splitter": "splitters", "scheduler": "schedulers", "scorer": "scorers", "allocator": "allocators"}
PACKAGES |= {"refiner": "refiners", "answerer": "answerers", "relevance": "relevance", "stopping": "stopping"}
WEIGHTS = ("qtsplus.checkpoint=random:0",)  # for the strategies that need trained ones


def test_something_was_found() -> None:
    assert {group for group, _ in OPTIONS} == set(INTERFACES)
    assert len(OPTIONS) > 30 and len(PRESETS) >= 7


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_option_keeps_its_contract(
    group: str, option: str, composed: Callable[..., DictConfig], request: pytest.FixtureRequest
) -> None:
    strategy = build(composed(f"{group}={option}", *WEIGHTS)[group], INTERFACES[group], group)
    if isinstance(strategy, GroupSplitter):
        path = request.getfixturevalue("needle_video").path
        contracts.check_splitter(strategy, [toys.timeline(ticks, path) for ticks in (1, 2, 9, 64, 128)])
    else:
        contracts.CHECKS[group](strategy)


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_composes_and_builds(preset: str, composed: Callable[..., DictConfig]) -> None:
    cfg = composed(f"preset={preset}", *WEIGHTS)
    built: dict[str, Any] = {group: build(cfg[group], interface, group) for group, interface in INTERFACES.items()}
    built["allocator"].check(built["scorer"])


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_only_chooses(preset: str) -> None:
    """A preset that reaches inside a group breaks the swap of that group on the command line."""
    keys = set(OmegaConf.load(plugins.options("preset")[preset]).keys())
    assert keys <= {"defaults", "budget", "frames", "seed", "answer_positions"}


def test_every_strategy_module_has_an_option_and_a_test() -> None:
    for group, package in PACKAGES.items():
        stems = {f.stem for f in (ROOT / "strategies" / package).glob("*.py")} - {"__init__"}
        assert stems, package
        assert stems <= set(plugins.options(group)), f"without a yaml in conf/{group}"
        tested = {f.stem.removeprefix("test_") for f in (ROOT / "tests" / "strategies" / package).glob("test_*.py")}
        assert stems <= tested, f"without a test in tests/strategies/{package}"


def test_no_research_parameter_has_a_default_in_code() -> None:
    for group, package in PACKAGES.items():
        for option, file in plugins.options(group).items():
            target = OmegaConf.load(file).get("_target_", "")
            if not str(target).startswith(f"strategies.{package}."):
                continue
            module, name = target.rsplit(".", 1)
            defaults = getattr(importlib.import_module(module), name).__dataclass_fields__.values()
            with_default = [f.name for f in defaults if f.init and f.default is not f.default_factory]
            assert not with_default, f"{group}={option}: {with_default} belong into the yaml"
