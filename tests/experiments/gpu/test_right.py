"""Comparisons with the CPU and with the stock model: they agree where all is right, and say so where it is not."""

from __future__ import annotations

import pytest
import torch

from experiments.common import composing
from experiments.gpu import right
from experiments.gpu.models import SHAPES
from framework.backbones import capture

TINY = SHAPES["tiny"]


def test_the_cpu_agrees_with_itself() -> None:
    with composing():
        found = right.lab("cpu", "float32", "sdpa", frames=64, films=1)
    assert found == {"questions": 5, "same answers": 5, "kept alike": 1.0, "largest difference": 0.0}


def test_passes_agree_with_the_stock_model() -> None:
    with composing():
        found = right.passes(TINY, "cpu", "float32", "sdpa", ticks=3, seed=0)
    assert found["right"] and found["keep all"] < 1e-5 and found["rows"] < 1e-6
    assert found["of the format"] == found["rows, of the format"] == 0.0


def test_a_wrong_capture_is_found_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = capture.attention_rows
    with composing():
        assert right.passes(TINY, "cpu", "bfloat16", "sdpa", ticks=3, seed=0)["right"]
        monkeypatch.setattr(capture, "attention_rows", lambda *given: whole(*given).roll(1, dims=0) * 1.2)
        assert not right.passes(TINY, "cpu", "bfloat16", "sdpa", ticks=3, seed=0)["right"]


def test_flash_attention_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(right, "is_flash_attn_2_available", lambda: False)
    assert right.lab("cuda", "bfloat16", "flash_attention_2", 64, 1) == right.MISSING
    assert right.passes(TINY, "cuda", "bfloat16", "flash_attention_2", 3, 0) == right.MISSING


def test_the_largest_difference_is_taken_over_all_numbers() -> None:
    assert right._far(torch.tensor([1.0, 2.0]), torch.tensor([1.5, -1.0])) == 3.0
