"""Another program's arguments are our overrides, and mistakes are explained in our words."""

from __future__ import annotations

import pytest

from framework.bridges.arguments import overrides, place
from framework.config.compose import compose_root
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
    given = {"preset": "adapttoken_agreement", "backbone": "lab", "budget": 16, "share": False, "device": "cpu"}
    cfg = compose_root(overrides(given))
    assert cfg.budget == 16 and cfg.share is False and cfg.backbone.adapter.device == "cpu"
    assert cfg.stopping._target_.endswith("Agreement")


def test_each_of_several_processes_takes_its_own_gpu() -> None:
    third = {"WORLD_SIZE": "8", "LOCAL_RANK": "3"}
    assert place({"budget": 1}, third, gpus=8) == {"budget": 1, "device": "cuda:3"}
    assert place({"device": "cuda"}, third, gpus=8) == {"device": "cuda:3"}
    for named in ({"device": "cuda:0"}, {"device": "cpu"}, {"backbone.adapter.device_map": "auto"}):
        assert place(named, third, gpus=8) == named
    assert place({}, third, gpus=0) == {} == place({}, {"LOCAL_RANK": "0"}, gpus=8)
