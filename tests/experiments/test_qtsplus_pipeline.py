"""QTSplus against others at toy size: equal numbers kept; what is drawn and tabulated is what the CSV says."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from experiments import qtsplus_pipeline
from experiments.common import interval, read


def test_qtsplus(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qtsplus_pipeline.main(["kept=6,52", "splits=conjunction", "videos=1", f"folder={workplace}"])
    rows = read(workplace / "qtsplus_pipeline.csv")
    said = capsys.readouterr().out
    assert [(row["kept"], row["run"]) for row in rows] == [
        (n, name) for n in (6, 52) for name in qtsplus_pipeline.COLOURS
    ]
    assert all(row["tokens_kept"] == row["kept"] for row in rows if row["run"] not in ("all tokens", "uniform"))
    assert {row["tokens_kept"] for row in rows if row["run"] == "all tokens"} == {qtsplus_pipeline.TOKENS}
    assert {row["groups_visited"] for row in rows} == {1}
    assert qtsplus_pipeline.tables(rows, "conjunction") in said and interval(rows[1]) in said
    lines = {line.get_label(): line for line in qtsplus_pipeline.draw(rows).axes[0].lines}
    for name in qtsplus_pipeline.COLOURS:
        mine = [row for row in rows if row["run"] == name]
        assert list(lines[name].get_ydata()) == [row["accuracy"] for row in mine]
    assert Image.open(workplace / "qtsplus_pipeline.png").width > 300
