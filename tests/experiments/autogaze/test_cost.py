"""The gaze's cost at toy size: measured once, on disk, and told; where it pays, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.autogaze import cost as autogaze_cost
from experiments.autogaze.cost import paying, paying_table, plans, table, tables
from experiments.common import read

SMALL = ["sizes=224", "rounds=1", "shares=0.1", "frames=2", "layers=1", "whole=0"]


def test_measured_once_and_told(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    autogaze_cost.main([*SMALL, f"folder={workplace}"])
    rows, said = read(workplace / "autogaze_cost.csv"), capsys.readouterr().out
    assert [(row["tower"], row["kept"], row["patches"]) for row in rows] == [
        ("siglip_base", "dense", 392),
        ("siglip_base", 0.1, 52),
        ("qwen2_5_vl_3b", "dense", 256),
        ("qwen2_5_vl_3b", 0.1, 24),
    ]
    assert table(rows) in said and paying_table(rows) in said and "| Qwen2.5-VL-3B | 224 | 10% | 24 | 38 |" in said
    assert said == "\n\n".join([table(rows), paying_table(rows)]) + "\n"
    whole = [{**row, "layers": "all"} for row in rows]
    assert tables([*rows, *whole]) == [table(rows), table(whole, whole=True), paying_table(rows)]
    monkeypatch.setattr(autogaze_cost, "measure", lambda *_: pytest.fail("measured again"))
    autogaze_cost.main([*SMALL, f"folder={workplace}"])
    assert capsys.readouterr().out == said
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        autogaze_cost.main([*SMALL, "shares=0.2", f"folder={workplace}"])
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        autogaze_cost.main([*SMALL, "rounds=2", f"folder={workplace}"])


def test_the_whole_tower_runs_last_and_reads_nothing() -> None:
    found = plans({**autogaze_cost.DEFAULTS})
    assert [(plan["tower"], plan["size"], plan["rounds"]) for plan in found[:3]] == [
        ("siglip_base", 224, 3),
        ("qwen2_5_vl_3b", 224, 3),
        ("siglip_base", 448, 1),
    ]
    assert len(found) == 7 and (found[-1]["layers"], found[-1]["llm_layers"], found[-1]["size"]) == (None, 0, 896)


def row(pixels: int, gain: float, layers: int | str = 8) -> dict[str, Any]:
    return {"tower": "siglip_base", "layers": layers, "pixels": pixels, "kept": 0.1, "vision x": gain, "all x": gain}


@pytest.mark.parametrize(
    ("gains", "said"),
    [
        ([1.2, 1.5, 2.0], "224 px"),
        ([0.8, 1.0, 2.0], "896 px"),
        ([1.2, 0.9, 2.0], "896 px"),  # a gain that is lost again does not count
        ([2.0, 2.0, 0.5], "none up to 896 px"),
    ],
)
def test_from_which_size_it_pays(gains: list[float], said: str) -> None:
    rows = [row(size, gain) for size, gain in zip((896, 448, 224), reversed(gains), strict=True)]
    assert paying([*rows, row(896, 0.1, "all")], "siglip_base", 0.1, "vision x") == said
