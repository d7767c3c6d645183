"""QTSplus against others at toy size: equal numbers kept; the tables are the CSV's."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.common import interval, read
from experiments.qtsplus import pipeline as qtsplus_pipeline


def test_qtsplus(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    qtsplus_pipeline.main(["kept=6,52", "splits=conjunction", "videos=1", f"folder={workplace}"])
    rows = read(workplace / "qtsplus_pipeline.csv")
    said = capsys.readouterr().out
    assert [(row["kept"], row["run"]) for row in rows] == [(n, name) for n in (6, 52) for name in qtsplus_pipeline.ROWS]
    assert all(row["tokens_kept"] == row["kept"] for row in rows if row["run"] not in ("all tokens", "uniform"))
    assert {row["tokens_kept"] for row in rows if row["run"] == "all tokens"} == {qtsplus_pipeline.TOKENS}
    assert {row["groups_visited"] for row in rows} == {1}
    assert qtsplus_pipeline.tables(rows, "conjunction") in said and interval(rows[1]) in said
