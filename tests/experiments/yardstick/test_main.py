"""The whole comparison, small: tune, freeze, compare, report."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.common import read
from experiments.yardstick import tables
from experiments.yardstick.__main__ import main

SMALL = [
    "backbone=lab",
    "frames=128",
    "budgets=4,8",
    "opacities=0.03,0.1,1.0",
    "videos=3",
    "seeds=200",
    "splits=when",
    "calibration_videos=2",
    "calibration_frames=64",
    "calibration_opacities=0.3",
    "calibration_budgets=8",
]


def test_a_small_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = [*SMALL, "methods=adapttoken,random,uniform", "tuned=tuned", "results=results"]
    main([*words, "parts=tune"])
    assert sorted(file.stem for file in Path("tuned").iterdir()) == ["adapttoken", "uniform"]
    main([*words, "parts=thresholds,splits,parts,cost,report"])
    rows = read(Path("results/yardstick_thresholds.csv"))
    names = ["adapttoken", "adapttoken, published", "random", "uniform"]
    assert [(row["budget"], row["method"]) for row in rows] == [(b, name) for b in (4, 8) for name in names]
    assert all(row["n"] == 15 and row["videos"] == 3 for row in rows)
    assert {row["method"] for row in rows if row["ratio_least"] is None} == {tables.REFERENCE} == {"adapttoken"}
    assert {row["accuracy_1"] for row in rows if row["method"] == "adapttoken"} == {1.0}
    parts = read(Path("results/yardstick_parts.csv"))
    assert parts[0]["method"] == "all of it" and {row["budget"] for row in parts} == {8}
    splits = read(Path("results/yardstick_splits.csv"))
    assert [row["p"] is None for row in splits] == [row["method"] == "adapttoken" for row in splits]
    costs = {row["method"]: row for row in read(Path("results/yardstick_cost.csv")) if row["budget"] == 8}
    assert costs["uniform"]["passes"] == 0 < costs["adapttoken"]["passes"]
    spread, scattered, probed = (costs[name]["operations"] for name in ("uniform", "random", "adapttoken"))
    assert spread == pytest.approx(scattered, rel=0.05) and spread < scattered * 1.05 < probed
    assert Path("results/yardstick.png").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert "Thresholds, 128 frames" in said and "| adapttoken |" in said and "Accuracy on the other splits" in said
    before = {file: file.stat().st_mtime_ns for file in Path("outputs").rglob("questions.jsonl")}
    main([*words, "parts=thresholds"])
    assert {file: file.stat().st_mtime_ns for file in Path("outputs").rglob("questions.jsonl")} == before


def test_what_cannot_be_compared_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="seeds: got 100, on which methods are tuned"):
        main(["seeds=100"])
    with pytest.raises(SystemExit, match="parts: got 'all'"):
        main(["parts=all"])
    with pytest.raises(SystemExit, match=r"opacities: got 0.1,0.05,0.2, expected numbers that ascend"):
        main(["opacities=0.1,0.05,0.2"])
    (tmp_path / "bare.yaml").write_text("preset: qtsplus\npublished: [qtsplus.rho=0.5]\n")
    with pytest.raises(SystemExit, match=r"qtsplus\.checkpoint"):
        main([*SMALL, "methods=bare", f"source={tmp_path}", "parts=thresholds", "backbone=qwen2_5_vl_3b"])
    with pytest.raises(SystemExit, match="methods: got 'adapttoken', expected names out of blend, coarse_to_fine"):
        main(["parts=parts", "methods=floor", "source=experiments/yardstick/ideas"])
    with pytest.raises(SystemExit, match="adapttoken has no recorded setting"):
        main([*SMALL, "methods=adapttoken", "parts=thresholds", f"tuned={tmp_path}"])
