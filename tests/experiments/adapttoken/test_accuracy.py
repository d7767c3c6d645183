"""The three experiments on accuracy at toy size: what is drawn and tabulated is what the CSV on disk says."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from experiments.adapttoken import budget, frames, lite_share, needle
from experiments.common import Row, composing, interval, read


def _drawn(rows: list[Row], x: str, of: str, figure_lines: list) -> bool:  # type: ignore[type-arg]
    mine = sorted((row for row in rows if row["run"] == of), key=lambda row: row[x])
    wanted = [[row[x] for row in mine], [row["accuracy"] for row in mine]]
    drawn = {line.get_label(): [list(line.get_xdata()), list(line.get_ydata())] for line in figure_lines}
    return drawn[of] == wanted


def test_budget(workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    presets = ("uniform", "vote", "adapttoken", "adapttoken_agreement")
    monkeypatch.setattr(budget, "STYLES", {preset: budget.STYLES[preset] for preset in presets})
    monkeypatch.setattr(budget, "RECORDED", ("adapttoken",))
    budget.main(["budgets=4,40", "opacity=0.5", "frames=64", "videos=1", f"folder={workplace}"])
    rows = read(workplace / "budget.csv")
    said = capsys.readouterr()
    assert [(row["budget"], row["run"]) for row in rows] == [(b, preset) for b in (4, 40) for preset in budget.STYLES]
    assert {row["tokens_kept"] for row in rows if row["run"] != "vote"} == {4, 40}
    assert budget.table(rows, 0.5) in said.out and interval(rows[0]) in budget.table(rows, 0.5)
    lines = budget.draw(rows).axes[0].lines
    assert all(_drawn(rows, "budget", preset, lines) for preset in budget.STYLES)
    rows[0]["accuracy"] = 0.123  # of uniform
    assert not all(_drawn(rows, "budget", preset, lines) for preset in budget.STYLES)
    assert Image.open(workplace / "budget.png").width > 400
    budget.main(["budgets=4,40", "opacity=0.5", "frames=64", "videos=1", f"folder={workplace / 'again'}"])
    assert (workplace / "again" / "budget.csv").read_text() == (workplace / "budget.csv").read_text()


def test_frames(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames.main(["frames=64,96", "videos=2,1", f"folder={workplace}"])
    rows, said = read(workplace / "frames.csv"), capsys.readouterr().out
    assert {(row["frames"], row["videos"], row["n"]) for row in rows} == {(64, 2, 10), (96, 1, 5)}
    assert frames.table(rows) in said and frames.differences(rows) in said
    assert all(_drawn(rows, "frames", preset, frames.draw(rows).axes[0].lines) for preset in frames.PRESETS)
    assert Image.open(workplace / "frames.png").width > 400


def test_lite_share(workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite_share, "SETTINGS", {"opaque": ["benchmark.opacity=1.0"]})
    monkeypatch.setattr(lite_share, "ORDERS", {"natural": "#4477aa"})
    lite_share.main(["entropies=-1,1e9", "groups=1,2", "frames=64", "videos=1", f"folder={workplace}"])
    rows = read(workplace / "lite_share.csv")
    assert rows[0]["order"] == "never" and rows[0]["difference"] is None and len(rows) == 1 + 2 * 2
    for row in rows[1:]:
        if row["entropy"] < 0:  # no group is ever certain
            assert row["groups_visited"] == 1 and row["difference"] == 0
        elif row["groups"] == 1:  # every group is: the first one ends it
            assert row["groups_visited"] == pytest.approx(1 / 5)
        else:
            assert row["groups_visited"] >= 2 / 5
    assert lite_share.table(rows, "opaque") in capsys.readouterr().out
    assert Image.open(workplace / "lite_share.png").width > 300


def test_a_single_group_leads_by_one() -> None:
    cells = lite_share.cells(["0.1"], [1, 3])
    assert "stopping.lead=1" in cells["natural 0.1 1"] and "stopping.lead=2" in cells["natural 0.1 3"]


def test_needle(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needle, "ROWS", {name: needle.ROWS[name] for name in ("uniform", "adapttoken")})
    with composing():
        uniform, adapttoken = needle.measure(frames=64, videos=1, seed=1)
    assert uniform["run"] == "uniform" and adapttoken["difference"] is None
    assert interval(uniform, "difference") in needle.table([uniform, adapttoken]).splitlines()[2]
