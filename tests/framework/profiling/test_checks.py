"""Checks of keys: what passes, and the one sentence where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from framework.profiling import checks


def test_what_is_right_passes() -> None:
    checks.at_least(1, rounds=1, layers=None)
    checks.some(rates=(None,))
    checks.ascending(1, questions=(1, 3, 15))
    checks.among(("a", "b"), model="a", arms=("b", "a"))


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match=r"^what.rounds: got 0, expected at least 1$"):
        checks.at_least(1, layers=2, rounds=0)
    with pytest.raises(ValueError, match=r"^what.noise: got nan, expected at least 0$"):
        checks.at_least(0, noise=float("nan"))
    with pytest.raises(ValueError, match=r"^what.rates: got an empty list, expected at least one$"):
        checks.some(rates=())
    for wrong in ((), (2, 2), (3, 1), (0, 1), (float("nan"),)):
        with pytest.raises(
            ValueError, match=r"^what.frames: got .*, expected at least one number from 1 on, in ascending"
        ):
            checks.ascending(1, frames=wrong)
    with pytest.raises(ValueError, match=r"^what.arms: got 'c', expected one of a, b$"):
        checks.among(("a", "b"), arms=("a", "c"))


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checks.device("auto") == checks.device("cpu") == "cpu"
    with pytest.raises(
        ValueError, match=r"what.device: got 'cuda', expected auto or cpu: there is no CUDA device here"
    ):
        checks.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (checks.device("auto"), checks.device("cpu"), checks.device("cuda")) == ("cuda", "cpu", "cuda")
    with pytest.raises(ValueError, match=r"got 'tpu', expected auto, cpu or cuda"):
        checks.device("tpu")


def test_free_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    monkeypatch.setattr(checks, "MEMORY", told)
    assert checks.free_bytes("cpu") == float("inf")  # the system does not say
    told.write_text("MemTotal:       100 kB\nMemAvailable:    64 kB\nHugePages_Total:       0\n")
    assert checks.free_bytes("cpu") == 64 * 1024
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (7, 9))
    assert checks.free_bytes("cuda") == 7
