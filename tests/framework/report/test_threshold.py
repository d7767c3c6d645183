"""The tables and the picture of thresholds."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framework.evaluation.psychometric import Curve
from framework.evaluation.scale import Cell, Method
from framework.evaluation.statistics import Interval
from framework.evaluation.threshold import Found, Threshold
from framework.report.threshold import found_text, sheets, write
from framework.report.threshold_picture import draw

CURVE = Curve(0.25, math.log(0.1), 4.0, 1.0)


def methods() -> list[Method]:
    """One that is on the scale, one that is above it, one without an interval."""
    cells = tuple(
        Cell(opacity, Interval(value, value - 0.1, value + 0.05), 0.9, kept)
        for opacity, value, kept in ((0.05, 0.3, 0.25), (0.1, 0.6, 0.5), (1.0, 0.95, None))
    )
    found = [
        Threshold(Found(0.1, 0.1, 0.08, 0.125), CURVE),
        Threshold(Found(1.0, math.inf, 0.9, math.inf), CURVE, Found(10, math.inf, 8, math.inf)),
        Threshold(Found(0.12, 0.12), CURVE, Found(1.2, 1.2, 0.9, 1.5)),
    ]
    names = ("uniform", "a$b$", "third")
    return [Method(name, one, cells, 1.5e9, 40, 8) for name, one in zip(names, found, strict=True)]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Found(0.1, 0.1, 0.08, 0.1251), "0.1 [0.08, 0.125]"),
        (Found(0.0, 0.03, 0.0, 0.04), "< 0.03 [0, 0.04]"),
        (Found(1.0, math.inf, 0.7, math.inf), "> 1 [0.7, ∞]"),
        (Found(1.0, math.inf), "> 1"),
        (Found(0.0, math.inf, 0.0, math.inf), "–"),
    ],
)
def test_an_estimate_in_words(found: Found, text: str) -> None:
    assert found_text(found) == text


def test_the_sheets() -> None:
    main, shares = sheets(methods())
    assert main.columns == (
        *("preset", "threshold [95 %]", "ratio to uniform [95 %]", "0.05", "0.1", "1", "operations/question"),
    )
    assert main.rows[0] == ("uniform", "0.1 [0.08, 0.125]", "reference", "0.30", "0.60", "0.95", "1.5e+09")
    assert main.rows[1][1:3] == ("> 1 [0.9, ∞]", "> 10 [8, ∞]")
    notes = "\n".join(main.notes)
    assert "40 questions on 8 videos" in notes and "nothing is extrapolated" in notes
    assert "third: no interval" in notes and "uniform" not in notes
    assert shares.rows[0] == ("uniform", "90% / 25%", "90% / 50%", "90% / –")
    assert len(sheets(methods()[:1])[0].notes) == 1
    assert "a$b$ is beyond the scale, and ratios to it are bounds" in sheets(methods()[1:])[0].notes[1]


def test_the_files(tmp_path: Path) -> None:
    write(tmp_path / "new", methods())
    with open(tmp_path / "new" / "thresholds.csv", newline="") as file:
        first, above, _ = csv.DictReader(file)
    assert (first["threshold_least"], first["threshold_high"], first["ratio_least"]) == ("0.1", "0.125", "1")
    assert (above["threshold_least"], above["threshold_most"], above["location"]) == ("1", "inf", "0.1")
    with open(tmp_path / "new" / "accuracy.csv", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 9 and cells[1]["fitted"] == "0.625" and cells[2]["evidence_kept"] == ""
    text = (tmp_path / "new" / "threshold.md").read_text()
    assert "| uniform | 0.1 [0.08, 0.125] | reference |" in text and "evidence kept at each opacity" in text


def test_the_picture_has_a_colour_per_method(tmp_path: Path) -> None:
    draw(tmp_path / "one.png", methods()[:1])
    draw(tmp_path / "all.png", methods())
    pixels = [np.asarray(Image.open(tmp_path / name).convert("RGB")).reshape(-1, 3) for name in ("one.png", "all.png")]
    blue, orange, green = ((0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E), (0x2C, 0xA0, 0x2C))  # C0, C1, C2
    seen = [[bool((picture == color).all(1).any()) for color in (blue, orange, green)] for picture in pixels]
    assert seen == [[True, False, False], [True, True, True]]
