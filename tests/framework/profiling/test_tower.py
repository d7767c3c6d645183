"""The bench of vision towers: arms, rows, and wrong wishes refused before anything is built."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from framework.profiling.base import Spent
from framework.profiling.tower import TowerBench, _ratio

KEYS: dict[str, Any] = {
    "towers": ("siglip_base", "qwen2_5_vl_3b"),
    "sizes": (224,),
    "shares": (0.25, 0.001),
    "frames": 2,
    "layers": 1,
    "mask": "bidirectional",
    "rounds": 1,
    "device": "cpu",
    "dtype": "float32",
    "seed": 0,
}


def test_rows_say_what_entered_the_first_layer() -> None:
    rows = list(TowerBench(**KEYS).rows())
    assert [(r["tower"], r["kept"], r["rows"]) for r in rows] == [
        ("siglip_base", "dense", 2 * 196),
        ("siglip_base", "0.25", 132),  # of 2 x 265
        ("siglip_base", "0.001", 1),
        ("qwen2_5_vl_3b", "dense", 256),
        ("qwen2_5_vl_3b", "0.25", 64),
        ("qwen2_5_vl_3b", "0.001", 4),  # one cell
    ]
    assert [r["rows x"] for r in rows] == [1, 2.97, 392, 1, 4, 64]
    assert all(r["s"] > 0 and r["cpu s"] > 0 and r["layers"] == 1 for r in rows)
    assert [r["s x"] for r in rows if r["kept"] == "dense"] == [1, 1]


def test_ratios_are_medians_of_rounds() -> None:
    dense, other = [Spent(2, 4), Spent(9, 1), Spent(4, 6)], [Spent(1, 2), Spent(3, 1), Spent(4, 2)]
    assert _ratio(dense, other, 0) == 2  # of 2, 3 and 1
    assert _ratio(dense, other, 1) == 2  # of 2, 1 and 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"towers": ("clip",)}, r"what.towers: got 'clip', expected one of siglip_base, qwen2_5_vl_3b"),
        ({"towers": ()}, "what.towers: got an empty list"),
        ({"sizes": ()}, "what.sizes: got an empty list"),
        ({"sizes": (224, 300)}, "what.sizes: siglip_base takes multiples of 224 pixels; got 300"),
        ({"sizes": (30,), "towers": ("qwen2_5_vl_3b",)}, "qwen2_5_vl_3b takes multiples of 28 pixels; got 30"),
        ({"sizes": (0,)}, "got 0"),
        ({"shares": (0.5, 0.0)}, r"what.shares: got 0.0, expected shares above 0 and at most 1"),
        ({"shares": (1.5,)}, "what.shares: got 1.5"),
        ({"shares": (float("nan"),)}, "what.shares: got nan"),
        ({"frames": 3}, "what.frames: got 3, expected an even number"),
        ({"layers": 0}, "what.layers: got 0"),
        ({"rounds": 0}, "what.rounds: got 0"),
        ({"mask": "causal"}, "what.mask: got 'causal', expected one of block_causal"),
        ({"dtype": "fp8"}, "what.dtype: got 'fp8'"),
        ({"device": "tpu"}, "what.device: got 'tpu', expected auto"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TowerBench(**{**KEYS, **change})


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"got 'cuda', expected auto or cpu: there is no CUDA device here"):
        TowerBench(**{**KEYS, "device": "cuda"})
