"""What a sweep varies and is called, as Hydra starts it and as its runs see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.types import RunMode

from framework.commands.sweeping import announce, current_sweep, sweep_of
from framework.commands.table import SweepTable
from framework.config.identity import register_resolvers
from framework.config.plugins import CONF, register
from framework.trackers import Sweep


@pytest.fixture
def described() -> Iterator[Callable[..., Sweep | None]]:
    """`described("-m", ...)` describes a sweep by the configuration that Hydra starts it with."""
    register()
    register_resolvers()
    before = Singleton.get_state()

    def call(*words: str) -> Sweep | None:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            return sweep_of(loader.load_configuration("eval", list(words), run_mode=RunMode.MULTIRUN))

    yield call
    Singleton.set_state(before)


def test_a_sweep_knows_what_it_varies_and_what_was_typed(described: Callable[..., Sweep | None]) -> None:
    words = ("preset=adapttoken", "allocator.temperature=0.05,0.5", "budget=8", "relevance=entropy,margin")
    found = described(*words)
    assert found is not None and found.keys == ("allocator.temperature", "relevance") and found.title == "sweep"
    assert found.overrides == words and found.choices["preset"] == "adapttoken"
    ablation = described("ablation=budget", "preset=adapttoken")
    assert ablation is not None and (ablation.keys, ablation.title) == (("budget",), "budget")


def test_nothing_varied_is_no_sweep(described: Callable[..., Sweep | None]) -> None:
    assert described("preset=adapttoken", "budget=8") is None
    assert described("ablation=budget", "budget=8") is None  # what is typed takes the place of what it varies


def test_the_id_follows_from_what_can_change_a_result(described: Callable[..., Sweep | None]) -> None:
    def name(*words: str) -> str:
        found = described(*words)
        assert found is not None
        return found.id

    mine = name("preset=adapttoken", "budget=8,16", "seed=1")
    same = ("seed=1", "budget=8,16", "tracker=csv", "progress=false", "benchmark=needle", "benchmark.folder=/x")
    assert name(*same, "preset=adapttoken", "launcher=submitit_local") == mine
    ablation = name("preset=adapttoken", "ablation=budget", "benchmark=needle", "budget=8,16", "seed=1")
    assert ablation == mine  # however the same is asked for
    others = [("budget=8,16",), ("preset=adapttoken", "budget=8,16"), ("preset=adapttoken", "budget=8,32", "seed=1")]
    assert len({mine, *(name(*words) for words in others)}) == 4


def test_a_run_is_told_of_its_sweep_when_it_begins(described: Callable[..., Sweep | None]) -> None:
    table = SweepTable()
    table._sweep = described("budget=8,16")
    try:
        table.on_job_start({})  # type: ignore[arg-type]
        assert table._sweep is not None and current_sweep() is table._sweep
        SweepTable().on_job_start({})  # type: ignore[arg-type]
        assert current_sweep() is None  # the next one runs alone
    finally:
        announce(None)


def test_a_prober_is_one_choice(described: Callable[..., Sweep | None]) -> None:
    """What it takes its option from is no choice of its own, and without one nothing is told of it."""
    with_one = described("preset=adapttoken", "prober=lab", "budget=8,16")
    swept = described("preset=adapttoken", "prober=none,lab")
    without = described("preset=adapttoken", "budget=8,16")
    assert with_one is not None and without is not None and swept is not None
    assert with_one.choices["prober"] == "lab" and not [key for key in with_one.choices if "@" in key]
    assert "prober" not in without.choices and with_one.id != without.id and swept.keys == ("prober",)
