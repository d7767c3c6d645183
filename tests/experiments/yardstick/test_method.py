"""Methods as their files say."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.common import compose_root, composing
from experiments.yardstick.method import METHODS, MOST, TUNED, Method, methods
from framework.config.parts import build_strategies
from framework.core.errors import UsageError


def test_every_shipped_method_composes_with_every_setting() -> None:
    found = methods()
    ideas, probers = (methods(folder=METHODS.parent / name) for name in ("ideas", "probers"))
    assert not [one.name for one in ideas if one.control or not one.settings]
    names = [one.name for one in found]
    assert names == sorted(names) and {"uniform", "oracle", "no_video", "flexselect", "adapttoken", "vote"} <= set(
        names
    )
    with composing():
        for one in [*found, *ideas, *probers]:
            tried = {one.candidates()[0], one.candidates()[-1]} if one.settings else set()
            for setting in tried | ({one.published} if one.published or not tried else set()):
                build_strategies(compose_root([*one.words(setting), "backbone=lab", "benchmark=needle"]))


def test_probers_have_the_settings_that_were_frozen() -> None:
    folder = METHODS.parent / "probers"
    found = {one.name: set(one.published) for one in methods(folder=folder)}
    best, small = (
        OmegaConf.load(place).words for place in (TUNED / "adapttoken.yaml", folder / "tuned/small_alone.yaml")
    )
    assert found["alone"] == set(best)
    assert found["small_looks"] == {"prober=lab", *(word.replace("backbone.", "prober.") for word in small)}


def test_settings_are_a_product() -> None:
    one = Method("x", "flexselect", settings={"a": [1, 2], "b": ["c"]})
    assert one.candidates() == [("a=1", "b=c"), ("a=2", "b=c")] and Method("x", "uniform").candidates() == [()]
    assert one.words(("a=1",)) == ["preset=flexselect", "a=1"]


def test_no_method_tries_more_than_any_other_may() -> None:
    Method("x", "flexselect", settings={"a": list(range(MOST))})
    with pytest.raises(UsageError, match=r"x\.yaml: settings make 17 candidates, expected at most 16"):
        Method("x", "flexselect", settings={"a": list(range(MOST + 1))})


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="methods: got 'best', expected names out of adapttoken"):
        methods(["best"])
    (tmp_path / "odd.yaml").write_text("preset: uniform\nsetting: {a: [1]}\n")
    with pytest.raises(UsageError, match=r"odd\.yaml: got keys preset, setting, expected preset and some of"):
        methods(folder=tmp_path)
