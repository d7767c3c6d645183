"""Random models: their size is known before they are made, and a seed gives the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file

from framework.config import plugins
from framework.profiling.random_model import SEVEN_B, Sizes, write

TINY = Sizes(2, 32, 2, 1, 48, 1, 16, 2, 24, 1)


def test_sizes() -> None:
    assert SEVEN_B.parameters() == 8_292_166_656  # that of the published checkpoint
    midsize = Sizes(**OmegaConf.load(plugins.options("what")["engine"]).sizes)
    assert round(midsize.parameters() / 1e6) == 109


def test_what_is_written_is_what_was_counted_and_comes_again(tmp_path: Path) -> None:
    first, again, other = (
        load_file(write(TINY, tmp_path / name, "cpu", dtype, seed) / "model.safetensors")
        for name, dtype, seed in (("a", "float32", 1), ("b", "float32", 1), ("c", "bfloat16", 2))
    )
    assert sum(weight.numel() for weight in first.values()) == TINY.parameters()
    assert all(bool((weight == again[name]).all()) for name, weight in first.items())
    assert any(bool((weight != other[name].float()).any()) for name, weight in first.items())
    assert {str(weight.dtype) for weight in other.values()} == {"torch.bfloat16"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layers": 0}, "layers: got 0, expected at least 1"),
        ({"width": 40}, "width: got 40, expected a multiple of 32"),
        ({"tower_width": 18}, "tower_width: got 18, expected a multiple of 8"),
        ({"key_heads": 3}, "heads: got 2, expected a multiple of 3"),
    ],
)
def test_sizes_that_fit_no_model(change: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(TINY, **change)
