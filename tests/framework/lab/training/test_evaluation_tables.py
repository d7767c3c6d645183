"""The tables of the page about the lab models, in miniature: every row names its table and holds shares."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from framework.core.model_files import ASSETS
from framework.lab.training import evaluation_tables

SHARES = ("accuracy", "auroc", "top-k on needle", "oracle group", "empty below .1")
RECIPE = Path(__file__).parents[4] / "conf" / "recipe" / "lab.yaml"


def test_a_recipe_without_clips_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--checkpoint",
        str(ASSETS / "lab"),
        "--recipe",
        str(RECIPE.with_name("lab_wide.yaml")),
        "--splits",
        "wide",
    ]
    monkeypatch.setattr(sys, "argv", ["evaluation_tables", *words])
    with pytest.raises(SystemExit):
        evaluation_tables.main()
    assert "lab_wide.yaml has no phase that asks about clips" in capsys.readouterr().err


@pytest.mark.parametrize("table", ["short", "layers", "long"])
def test_a_table(table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(evaluation_tables, "BATCHES", 1)
    words = ["--checkpoint", str(ASSETS / "lab"), "--recipe", str(RECIPE), "--splits", "attribute", "--tables", table]
    monkeypatch.setattr(sys, "argv", ["evaluation_tables", *words, "--videos", "2", "--frames", "64"])
    evaluation_tables.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert rows
    numbers = [value for row in rows for key, value in row.items() if key in SHARES]
    assert numbers and all(0 <= value <= 1 for value in numbers if value is not None)
