"""With and without a gaze: what enters, what is added up, and wrong wishes refused before anything is built."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from framework.profiling.base import Spent
from framework.profiling.towers import TOWERS
from strategies.learned.autogaze.gaze.model import Gaze, GazeConfig
from strategies.learned.autogaze.profile import CHOICES, STAGES, GazeBench, _sums

KEYS: dict[str, Any] = {
    "towers": ("siglip_base", "qwen2_5_vl_3b"),
    "sizes": (224,),
    "shares": (0.1,),
    "frames": 2,
    "layers": 1,
    "mask": "block_causal",
    "rounds": 1,
    "device": "cpu",
    "dtype": "float32",
    "seed": 0,
    "llm_layers": 1,
    "text": 3,
    "tiles": 16,
}


@pytest.fixture(scope="module")
def gaze() -> Gaze:
    return Gaze.random(GazeConfig.official(), 0)


def test_rows_say_what_entered_and_stages_add_up() -> None:
    rows = list(GazeBench(**KEYS).rows())
    assert [(r["tower"], r["kept"], r["patches"], r["tokens"]) for r in rows] == [
        ("siglip_base", "dense", 2 * 196, 0),
        ("siglip_base", "0.1", 2 * 26, 0),  # a tenth of 265 in each frame
        ("qwen2_5_vl_3b", "dense", 64 * 4, 64 + 3),
        ("qwen2_5_vl_3b", "0.1", 6 * 4, 6 + 3),  # a tenth of 64 cells
    ]
    for dense, own in (rows[:2], rows[2:]):
        assert dense["vision x"] == dense["all x"] == dense["s x"] == 1 and dense["gaze cpu"] == 0 < own["gaze cpu"]
        assert own["vision x"] == pytest.approx(dense["vision"] / own["vision"], rel=0.05)
        assert own["all x"] == pytest.approx(dense["all"] / own["all"], rel=0.05)
        depth = TOWERS[own["tower"]].depth
        assert own["tower cpu"] < own["vision"] - own["gaze cpu"] + 0.01 < depth * own["tower cpu"] + 0.02
    assert all((row["llm cpu"] > 0) == (row["tower"] == "qwen2_5_vl_3b") for row in rows)


def test_without_a_language_model_vision_is_all() -> None:
    rows = list(GazeBench(**{**KEYS, "towers": ("qwen2_5_vl_3b",), "llm_layers": 0}).rows())
    assert all(row["tokens"] == row["llm cpu"] == 0 and row["vision x"] == row["all x"] for row in rows)


def test_stages_add_up_round_by_round() -> None:
    took = {
        "dense tower": [Spent(2, 1), Spent(4, 3)],
        "dense llm": [Spent(1, 1), Spent(1, 5)],
        "0.1 gaze": [Spent(9, 9)],
    }
    assert _sums(took, "dense", STAGES, 0) == [3, 5] and _sums(took, "dense", STAGES, 1) == [2, 8]
    assert _sums(took, "dense", ["gaze"], 1) == [0]


@torch.inference_mode()
@pytest.mark.parametrize(("tower", "size", "kept"), [("siglip_base", 448, 2 * 4 * 13), ("qwen2_5_vl_3b", 448, 13)])
def test_a_choice_fits_the_tower_and_has_the_share(gaze: Gaze, tower: str, size: int, kept: int) -> None:
    clip = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    keep = CHOICES[tower](gaze, clip, 0.05, 3)
    made = TOWERS[tower].__new__(TOWERS[tower])
    assert keep.dtype == torch.bool and keep.shape == made.places(2, size) and int(keep.sum()) == kept
    assert torch.equal(keep, CHOICES[tower](gaze, clip, 0.05, 16))  # whatever the batches


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"llm_layers": -1}, "what.llm_layers: got -1, expected at least 0"),
        ({"text": -1}, "what.text: got -1"),
        ({"tiles": 0}, "what.tiles: got 0, expected at least 1"),
        ({"shares": (2.0,)}, "what.shares: got 2.0"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GazeBench(**{**KEYS, **change})
