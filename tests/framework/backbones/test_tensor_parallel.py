"""Two processes hold a part of every layer each: the same rows, logits and answers as the undivided model."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import multiprocessing
from transformers import Qwen3VLTextConfig

from framework.backbones import tensor_parallel
from framework.backbones.tensor_parallel import check
from tests.fixtures import one_of_two
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import QUESTIONS, Family
from tests.framework.backbones.conformance.framed import ADAPTER

BY_NAME: dict[str, Any] = {family.name: family for family in FAMILIES}
ASKED = [QUESTIONS[2], QUESTIONS[0], QUESTIONS[1]]


@pytest.fixture
def divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    family = BY_NAME["internvl qwen3"]
    torch.save((family.encoded(family.film(3)), ASKED), tmp_path / "given.pt")
    for name, value in {"CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}.items():
        monkeypatch.setenv(name, value)
    own = {"frame_text": "Frame{n}: ", "between": "\n", "device": "auto", "tensor_parallel": True}
    arguments = {"checkpoint": family.checkpoint, **ADAPTER, **family.fixed, **own}
    multiprocessing.spawn(one_of_two.run, (str(tmp_path), arguments), nprocs=2)
    return [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.mark.slow
def test_two_processes_see_what_one_sees(divided: list[dict[str, Any]]) -> None:
    family = BY_NAME["internvl qwen3"]
    whole = one_of_two.reveal(family.adapter, family.encoded(family.film(3)), ASKED)
    assert len(whole["attention"][0][0]) == 4
    for found in divided:
        assert found["own heads"] == 2  # of four
        assert found["said"] == whole["said"] and found["choice"] == whole["choice"]
        torch.testing.assert_close(found["shares"], whole["shares"], atol=2e-5, rtol=1e-5)
        for one, other in zip(found["logits"], whole["logits"], strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-5)
        for one, other in zip(found["attention"], whole["attention"], strict=True):
            assert one.keys() == other.keys()
            for layer in one:
                torch.testing.assert_close(one[layer], other[layer], atol=2e-5, rtol=1e-5)
    first, second = divided  # bit by bit, or the processes would choose different tokens
    assert all(map(torch.equal, first["logits"], second["logits"]))
    for one, other in zip(first["attention"], second["attention"], strict=True):
        assert all(torch.equal(one[layer], other[layer]) for layer in one)


def config(heads: int = 4, key_heads: int = 2, plan: object = {"layers.*.mlp": "colwise"}) -> Any:
    text = SimpleNamespace(
        model_type="kind", base_model_tp_plan=plan, num_attention_heads=heads, num_key_value_heads=key_heads
    )
    return SimpleNamespace(get_text_config=lambda: text)


@pytest.mark.parametrize(
    ("processes", "given", "said"),
    [
        (
            2,
            {"device": "cuda:1"},
            r"=true chooses devices itself, got device=cuda:1: set backbone\.adapter\.device=auto or",
        ),
        (2, {"device_map": "auto"}, r"=true .* got device_map=auto: set backbone\.adapter\.device_map=null or"),
        (2, {"overlaid": True}, "=true cuts the weights of the checkpoint alone, got an overlay: set overlay=none"),
        (2, {"config": config(plan=None)}, r": transformers .* has no plan for text models of type 'kind': set"),
        (1, {}, ": this process runs alone, expected several: start them with torchrun"),
        (4, {}, ": 4 heads and 2 key heads cannot be shared out to 4 processes"),
        (3, {"config": config(6, 2)}, ": 6 heads and 2 key heads cannot"),
    ],
)
def test_what_cannot_be_cut_is_refused(
    processes: int, given: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    asked = {"config": config(), "device": "auto", "device_map": None, "overlaid": False, **given}
    check(False, **asked)
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.tensor_parallel{said}"):
        check(True, **asked)


def test_what_can_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert tensor_parallel.processes() == 1  # a launcher would have said which one this is
    monkeypatch.setenv("RANK", "1")
    assert tensor_parallel.processes() == 2
    check(True, config(), "auto", None, False)


@pytest.mark.parametrize("name", ["qwen3_vl", "internvl qwen3"])
def test_a_family_refuses_before_weights_are_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers has a plan for Qwen3-VL from 5.24 on."""
    family: Family = BY_NAME[name]
    checkpoint, said = family.checkpoint, "this process runs alone"
    if name == "qwen3_vl" and not Qwen3VLTextConfig.base_model_tp_plan:
        said = "no plan for text models of type 'qwen3_vl_text'"
    monkeypatch.setattr("framework.backbones.loading.load_model", None)
    monkeypatch.delenv("RANK", raising=False)
    assert not os.environ.get("RANK")
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.tensor_parallel: .*{said}"):
        family.load(checkpoint, device="auto", tensor_parallel=True, **family.changes)
