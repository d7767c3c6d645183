"""Tables, files and picture of a comparison say what its values say."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from framework.evaluation.comparison import Comparison, compare
from framework.evaluation.runs import load
from framework.evaluation.statistics import Interval
from framework.report import comparison as report
from framework.report.comparison_files import markdown, write
from framework.report.comparison_picture import draw
from framework.report.tables import Sheet, as_markdown, as_table


@pytest.fixture
def compared(write_run: Callable[..., Path], tmp_path: Path) -> Comparison:
    right = [1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    configs = (
        {"stopping": {"_target_": "strategies.stopping.never.Never"}, "budget": 8},
        {"stopping": {"_target_": "strategies.stopping.certain.Certain", "entropy": 0.1, "groups": 2}, "budget": 9},
    )
    folders = [
        write_run(tmp_path / "a", right, "uniform", config=configs[0]),
        write_run(tmp_path / "b", [1] * 12, "lite|$x$", config=configs[1], finished=False),
        write_run(tmp_path / "c", right, "same", config=configs[1]),
    ]
    return compare([load(folder) for folder in folders], resamples=300)


def sheet(compared: Comparison, start: str) -> Sheet:
    (found,) = [one for one in report.sheets(compared) if one.title.startswith(start)]
    return found


def test_difference_sheet(compared: Comparison) -> None:
    found = sheet(compared, "toy: 12 questions on 6 videos; differences to uniform")
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["uniform"][1:] == ("reference", "", "", "", "")
    assert found.columns[3:6] == ("p", "p Holm", "McNemar")
    # the six differences lie in three videos: 2 x .5^3, and two comparisons, of which the other has p = 1
    assert rows["lite|$x$"][1].startswith("+0.500 [+0.") and rows["lite|$x$"][2:4] == ("0.250", "0.500")
    assert rows["lite|$x$"][4] == "0.031"  # over questions: 2 x .5^6
    assert rows["same"][1] == "+0.000 [-0.393, +0.393]"  # 1 - .05^(1/6)
    assert "corrected for 2 comparisons" in found.notes[0]
    assert found.notes[1:] == (
        "lite|$x$: only 3 videos differ: a rough interval, and p cannot be below 0.25",
        "same: no disagreement: exact bound over videos",
    )
    for one in report.sheets(compared):
        assert {len(row) for row in one.rows} == {len(one.columns)}


def test_evidence_stands_beside_agreement_where_it_is_known(compared: Comparison) -> None:
    assert "evidence" not in sheet(compared, "toy: agreement").columns
    shares = [(0.5, 0.25), (1.0, None), (None, None)]  # the second run is an older one
    rows = [
        replace(row, evidence_found=found, evidence_kept=kept)
        for row, (found, kept) in zip(compared.rows, shares, strict=True)
    ]
    made = sheet(replace(compared, rows=tuple(rows)), "toy: agreement")
    assert [row[made.columns.index("evidence")] for row in made.rows] == ["50% / 25%", "100% / –", "–"]
    assert {len(row) for row in made.rows} == {len(made.columns)} and len(made.notes) == 2


def test_agreement_signals_and_calibration(compared: Comparison) -> None:
    agreement = {row[0]: row[1:] for row in sheet(compared, "toy: agreement").rows}
    assert agreement["lite|$x$"] == ("6", "6", "0", "0", "50%", "50%", "8.0", "5.50")
    signals = sheet(compared, "toy: signals")
    # ranks 3.5 (six ties) and 7 to 12 against 9.5 and 3.5: -108 / sqrt(125.5 x 108); told apart: no interval
    assert ("uniform", "answer", "entropy", "12", "6", "-0.928", "0.000") in signals.rows
    assert not any(row[0] == "lite|$x$" for row in signals.rows)  # all right: nothing to tell apart
    assert signals.notes[1].startswith("4 signals that never vary")
    calibration = {row[1]: row[2:] for row in sheet(compared, "calibration").rows}
    assert calibration["lite|$x$"] == ("12", "0.900", "1.000", "0.100", "≤ 0.150", "0.010")  # no interval


def test_an_exchanged_object_is_one_row(compared: Comparison) -> None:
    found = sheet(compared, "what differs")
    assert found.rows == (
        ("budget", "8", "9", "lite|$x$, same"),
        ("stopping", "Never", "Certain(entropy=0.1, groups=2)", "lite|$x$, same"),
    )


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.000"), (0.0546, "0.055"), (0.00042, "0.0004"), (0.0, "< .0001"), (0.00099, "0.0010")]
)
def test_probability(p: float, text: str) -> None:
    assert report.probability(p) == text


def test_numbers_that_are_not_there() -> None:
    nan = float("nan")
    assert report.number(nan) == report.number(None) == "–" == report.interval(Interval(nan, nan, nan))
    assert report.interval(Interval(0.5, nan, nan)) == "0.500"
    assert report.interval(Interval(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"


def test_sheets_as_markdown_and_in_a_terminal() -> None:
    made = Sheet("a [b]", ("run", "p"), (("x|y", "0.5"), ("[red]", "1")), notes=("read [this]",))
    assert as_markdown(made) == (
        "## a [b]\n\n| run | p |\n| :-- | --: |\n| x\\|y | 0.5 |\n| [red] | 1 |\n\nread [this]\n"
    )
    out = Console(file=io.StringIO(), width=60)
    out.print(as_table(made))
    assert isinstance(out.file, io.StringIO)
    assert all(word in out.file.getvalue() for word in ("a [b]", "x|y", "[red]", "read [this]"))


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_files(compared: Comparison, tmp_path: Path) -> None:
    write(tmp_path / "out", compared, "three runs")
    rows = table(tmp_path / "out/comparison.csv")
    assert [row["run"] for row in rows] == ["uniform", "lite|$x$", "same"]
    assert rows[0]["difference"] == "" and rows[1]["difference"] == "0.5" and rows[1]["p_mcnemar"] == "0.03125"
    assert rows[2]["difference_low"] == "-0.393038" and rows[1]["p_videos"] == "0.25"
    strata = table(tmp_path / "out/strata.csv")
    assert {(row["dimension"], row["label"]) for row in strata} == {("asked", "colour"), ("asked", "shape")}
    signals = table(tmp_path / "out/signals.csv")
    assert {"run", "reading", "signal", "n", "spearman", "auroc", "auroc_low", "auroc_high"} <= set(signals[0])
    bins = table(tmp_path / "out/calibration.csv")
    uniform = [row for row in bins if row["run"] == "uniform"]
    assert [row["of"] for row in uniform] == ["all", "bin", "bin"] and uniform[0]["error"] == "0.35"
    assert [(row["bin_low"], row["n"], row["accuracy"]) for row in uniform[1:]] == [
        ("0.6", "6", "0.0"),
        ("0.9", "6", "1.0"),
    ]
    differences = (tmp_path / "out/differences.csv").read_text()
    assert "toy,same,stopping.entropy,not set,0.1\n" in differences
    text = (tmp_path / "out/comparison.md").read_text()
    assert text == markdown(compared, "three runs")
    assert text.startswith(
        "# three runs\n\n- toy: lite|$x$ is not finished, 12 questions so far\n\n## toy: 12 questions"
    )


def test_picture(compared: Comparison, tmp_path: Path) -> None:
    draw(tmp_path / "comparison.png", compared)
    picture = Image.open(tmp_path / "comparison.png").convert("RGB")
    assert picture.width > 1000
    colours = {colour for _, colour in picture.getcolors(maxcolors=2**24) or []}
    assert (0x44, 0x77, 0xAA) in colours  # not different after Holm
    assert (0x1B, 0x7F, 0x5C) not in colours
