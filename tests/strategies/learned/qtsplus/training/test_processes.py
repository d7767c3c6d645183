"""Two processes share every batch, and learn what one learns from the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "framework.cli"]
ALIKE = {
    "recipe__schedule__steps": 10,  # the tenth is logged
    "recipe__schedule__rate": 1e-4,
    "recipe__training__gate_on": "tokens",
    "recipe__training__extra": 0,
    "recipe__training__rho": "learned",  # so that the costs and their mean over all processes take part
    "recipe__network__rho_min": 0.02,
    "recipe__network__rho_max": 0.1,
}


@pytest.mark.slow
def test_two_processes_are_as_one(fit: Any, curves: Callable[[Path], list[dict[str, float]]]) -> None:
    one = fit("one", **ALIKE)
    words = fit.words("two", **ALIKE, recipe__trainer__devices=2, recipe__trainer__strategy="ddp")
    run = subprocess.run([*LAUNCH, "train", *words], env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("MEMBER: 2/2") >= 1  # there were two
    two = one.parent.parent / "two" / "checkpoint"
    (alone,), (shared,) = curves(one.parent), curves(two.parent)
    assert alone["train/loss"] > 0.1
    for name in ("loss", "ce", "flops", "kv", "smooth", "rho_mean", "n"):
        assert shared[f"train/{name}"] == pytest.approx(alone[f"train/{name}"], abs=1e-5)
    weights, same = (load_file(folder / "selector.safetensors") for folder in (one, two))
    for name, weight in weights.items():
        assert torch.allclose(weight, same[name], atol=1e-5), name
