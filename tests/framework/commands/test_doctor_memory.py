"""What a run needs of memory, whether it fits, and what helps: on described devices, without any weight."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import pytest
from rich.console import Console

from framework.commands import doctor_memory
from framework.commands.doctor_memory import GIB, Device, Plan, config_of, helps, judge, warnings
from framework.core.errors import UsageError
from tests.framework.backbones.test_memory import RUN, SHAPE

PLAN = Plan(SHAPE, RUN, devices=1, cuda=True, mapped=False, cut=False)


def told(plan: Plan, there: float) -> tuple[bool, str]:
    out = Console(file=io.StringIO(), width=200)
    fits = judge(out, plan, there)
    return fits, out.file.getvalue()  # type: ignore[attr-defined]


def test_the_peak_of_a_device() -> None:
    assert PLAN.peak == 14568 and replace(PLAN, cuda=False).peak == 14568 + 872 + 1152
    assert replace(PLAN, mapped=True).peak == 14568  # by a map, onto one device
    # a layer, half of weights and keys, and the rest of the stage
    assert replace(PLAN, mapped=True, devices=2).peak == 400 + (2000 + 1664) // 2 + 12568 - 1664
    # the tower whole, half of the other weights and of the keys
    assert replace(PLAN, cut=True, devices=2).peak == 200 + (1800 + 1664) // 2 + 12568 - 1664
    assert replace(PLAN, devices=2).peak == 14568  # nothing says that the second one is used


def test_what_fits_and_what_only_just() -> None:
    fits, said = told(PLAN, 20000)
    assert fits and said.startswith("✓ fits: 0.00 GiB at the peak (probe)") and said.count("\n") == 1
    fits, said = told(PLAN, 15000)
    assert fits and "fits just" in said and "wrong by 15 %" in said
    fits, said = told(replace(PLAN, devices=2, mapped=True), 10)
    assert not fits and "does not fit: 0.00 GiB on each of 2 devices" in said


def test_what_helps() -> None:
    words = dict(helps(PLAN, 14560))
    assert words["backbone.group_ticks=2"] == 2000 + 10656 < 14560 / 1.15  # then the answer is the peak
    assert dict(helps(PLAN, 1))["backbone.group_ticks=2"] == 12656  # fewer ticks would not help more
    assert "budget" not in "".join(words) and "questions_per_pass" not in "".join(words)  # the probe is the peak
    assert any(key.startswith("backbone.adapter.device_map=auto on ") for key in words)
    long = replace(PLAN, run=replace(RUN, budget=400, candidates=440, ticks=200))
    words = dict(helps(long, 40000))
    (budget,) = [key for key in words if key.startswith("budget=")]
    value = int(budget.partition("=")[2])
    assert words[budget] == replace(long, run=replace(long.run, budget=value, candidates=440 * value // 400)).peak
    assert words[budget] * 1.15 <= 40000
    wide = replace(PLAN, run=replace(RUN, item=4))
    assert dict(helps(wide, 1))["backbone.adapter.dtype=bfloat16"] == PLAN.peak
    assert not any("device_map" in key for key in dict(helps(replace(PLAN, cuda=False), 1)))


def test_warnings() -> None:
    assert list(warnings(PLAN, 1)) == [
        "text around ticks may take 14 tokens of the final pass, against a budget of 7: "
        "take fewer frames, or a method that keeps few ticks"
    ]
    quiet = replace(PLAN, run=replace(RUN, tick_text=0))
    assert not list(warnings(quiet, 1))
    (early,) = warnings(quiet, 0)
    assert early.startswith("backbone.reference_layer=0 lies below layer 1")
    (uncut,) = warnings(replace(quiet, shape=replace(SHAPE, cut=False)), 1)
    assert "no plan for text models of type 'text'" in uncut


def test_a_hybrid_without_its_kernels_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    hybrid = replace(PLAN, run=replace(RUN, tick_text=0), shape=replace(SHAPE, states=5, attention=(2,)))
    there = {"fla": None, "causal_conv1d": None}
    monkeypatch.setattr(doctor_memory, "find_spec", lambda name: there.get(name, find_spec(name)))
    (slow,) = warnings(hybrid, 1)
    assert slow == (
        "2 of 3 layers are recurrent, and run slowly without flash-linear-attention and causal-conv1d: "
        "pip install flash-linear-attention causal-conv1d"
    )
    there["fla"] = object()  # type: ignore[assignment]
    (slow,) = warnings(hybrid, 1)
    assert slow.endswith("pip install causal-conv1d")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Device(80, None).bytes == 80 * GIB and Device(80, None).cuda and Device(80, 4).devices == 4
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(doctor_memory, "free_bytes", lambda place: 5.0)
    assert not Device(None, None).cuda and Device(None, None).bytes == 5 and Device(None, 2).devices == 2
    for wrong, said in (((0, None), "memory must be GiB above 0"), ((None, 0), "count must be a whole number >= 1")):
        with pytest.raises(ValueError, match=said):
            Device(*wrong)


def test_where_sizes_come_from() -> None:
    assert config_of("asset:lab").model_type == "qwen2_5_vl"
    assert config_of("Qwen/Qwen3-VL-8B-Instruct").text_config.num_hidden_layers == 36
    assert config_of("./LLaVA-Video-72B-Qwen2-hf").text_config.num_hidden_layers == 80
    with pytest.raises(UsageError, match=r"no folder './mine'"):
        config_of("./mine")
    with pytest.raises(UsageError, match=r"sizes of me/mine are not known here, and its config\.json is not on this"):
        config_of("me/mine")


def test_the_command(doctor: Callable[..., tuple[int, str]]) -> None:
    status, out = doctor("backbone=qwen3_vl_2b", "frames=512", "budget=2048", "device.memory=80")
    assert status == 0 and "256 ticks of 209 tokens" in out and "2.13 billion" in out and "✓ fits: " in out
    assert "its weights are not in the cache" in out  # said, and no reason to fail
    peak = re.search(r"fits: (\d+\.\d+) GiB at the peak", out)
    assert peak and 3.9 < float(peak[1]) < 12  # 4 GB of weights and some more
    status, out = doctor("backbone=internvl3_78b", "device.memory=80", "device.count=2")
    assert status == 1 and "✗ does not fit: " in out and "on each of 2 devices" in out
    assert re.search(r"device_map=auto on [34] such devices: \d+\.\d+ GiB, fits", out)
    status, out = doctor("backbone=lab", "device.memory=0")
    assert status == 2 and "device.memory must be GiB above 0" in out
