"""Another program's arguments are our overrides, and mistakes are explained in our words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig

from framework.bridges import arguments
from framework.bridges.arguments import overrides, place
from framework.core.errors import UsageError


def test_arguments_are_overrides_in_order() -> None:
    given = {"preset": "uniform", "budget": 16, "share": False, "batch_size": "1", "max_batch_size": None}
    assert overrides(given) == ["preset=uniform", "budget=16", "share=False"]
    assert overrides({"pretrained": "Qwen/Qwen2.5-VL-7B-Instruct", "device": "cpu"}) == [
        "backbone.adapter.checkpoint=Qwen/Qwen2.5-VL-7B-Instruct",
        "backbone.adapter.device=cpu",
    ]


def test_one_key_under_two_names_is_refused() -> None:
    with pytest.raises(UsageError, match=r"backbone\.adapter\.device is given twice.*device='cpu'"):
        overrides({"backbone.adapter.device": "cuda", "device": "cpu"})


def test_they_compose_as_on_the_command_line() -> None:
    cfg = arguments.compose_root(
        {"preset": "adapttoken_lite", "backbone": "lab", "budget": 16, "share": False, "device": "cpu"}
    )
    assert cfg.budget == 16 and cfg.share is False and cfg.backbone.adapter.device == "cpu"
    assert cfg.stopping._target_.endswith("Agreement")
    assert arguments.compose_root({}).budget == 32


def test_somebody_elses_hydra_goes_on(composed: Callable[..., DictConfig]) -> None:
    with pytest.raises(UsageError):
        arguments.compose_root({"preset": "none"})
    arguments.compose_root({"budget": 5})
    assert composed("budget=7").budget == 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "adaptoken"}, "preset has no option 'adaptoken'.*did you mean adapttoken"),
        ({"budgt": 32}, "budgt: there is no such key; did you mean budget"),
    ],
)
def test_mistakes_are_explained(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        arguments.compose_root(given)


def test_each_of_several_processes_takes_its_own_gpu() -> None:
    third = {"WORLD_SIZE": "8", "LOCAL_RANK": "3"}
    assert place({"budget": 1}, third, gpus=8) == {"budget": 1, "device": "cuda:3"}
    assert place({"device": "cuda"}, third, gpus=8) == {"device": "cuda:3"}
    for named in ({"device": "cuda:0"}, {"device": "cpu"}, {"backbone.adapter.device_map": "auto"}):
        assert place(named, third, gpus=8) == named
    assert place({}, third, gpus=0) == {} == place({}, {"LOCAL_RANK": "0"}, gpus=8)
