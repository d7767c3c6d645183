"""Tables by hand: what is written of thresholds, of ratios and of what is beyond the scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.common import RESULTS, write
from experiments.yardstick.method import METHODS, TUNED
from experiments.yardstick.report import report, sections

ENDS = ("least", "most", "low", "high")


def row(method: str, budget: int, threshold: tuple[float, ...], ratio: tuple[float, ...] | None) -> dict[str, Any]:
    ratios = ratio or (None,) * 4
    return {
        "frames": 256,
        "budget": budget,
        "method": method,
        "videos": 20,
        **{f"threshold_{end}": value for end, value in zip(ENDS, threshold, strict=True)},
        **{f"ratio_{end}": value for end, value in zip(ENDS, ratios, strict=True)},
    }


def test_what_the_tables_say(tmp_path: Path) -> None:
    nan = float("nan")
    thresholds = [
        row("adapttoken", 16, (0.05, 0.05, 0.04, 0.06), None),
        row("uniform", 16, (0.1, float("inf"), nan, nan), (2.0, float("inf"), nan, nan)),
        row("adapttoken", 64, (0.04, 0.04, 0.03, 0.05), None),
        row("uniform", 64, (0.08, 0.08, 0.07, 0.09), (2.0, 2.0, 1.5, 2.5)),
    ]
    write(tmp_path / "yardstick_thresholds.csv", thresholds)
    costs = [
        {"frames": 256, "budget": 64, "method": name, "operations": cost, "seconds": 0.5, "passes": passes}
        for name, cost, passes in (("adapttoken", 3.21e9, 4), ("uniform", 4.0e8, 0))
    ]
    write(tmp_path / "yardstick_cost.csv", costs)
    (tmp_path / "uniform.yaml").write_text("words: [scorer=x, a=1]\naccuracy: 0.5\noperations: 4.0e+8\ntried: 2\n")
    found = sections(tmp_path, tmp_path)
    assert found["Frozen settings"].splitlines()[2:] == ["| uniform | 2 | `scorer=x a=1` | 0.500 | 0.4 |"]
    assert list(found) == [
        "Frozen settings",
        "Thresholds, 256 frames",
        "Threshold over that of the reference, 64 tokens",
        "A question that comes alone",
    ]
    lines = found["Thresholds, 256 frames"].splitlines()
    assert lines[0] == "| method | videos | 16 tokens | 64 tokens | GFLOP |"
    assert lines[2] == "| adapttoken | 20 | 0.05 [0.04, 0.06] | 0.04 [0.03, 0.05] | 3.21 |"
    assert lines[3] == "| uniform | 20 | > 0.1 | 0.08 [0.07, 0.09] | 0.4 |"
    ratios = found["Threshold over that of the reference, 64 tokens"].splitlines()
    assert ratios[2:] == ["| adapttoken | 1 |", "| uniform | 2 [1.5, 2.5] |"]
    assert found["A question that comes alone"].splitlines()[2] == "| adapttoken | 3.21, 4, 0.50 |"


def test_the_frontier_needs_thresholds_and_costs(tmp_path: Path) -> None:
    write(tmp_path / "yardstick_thresholds.csv", [row("adapttoken", 16, (0.05, 0.05, 0.04, 0.06), None)])
    report(tmp_path, tmp_path)
    assert not (tmp_path / "yardstick.png").exists()
    cost = {"frames": 256, "budget": 16, "method": "adapttoken", "operations": 1e9, "seconds": 0.5, "passes": 4}
    write(tmp_path / "yardstick_cost.csv", [cost])
    report(tmp_path, tmp_path)
    assert (tmp_path / "yardstick.png").stat().st_size > 5_000


@pytest.mark.parametrize(
    ("page", "folder", "settings"),
    [
        ("yardstick.md", RESULTS, TUNED),
        ("prober.md", RESULTS / "prober", METHODS.parent / "probers" / "tuned"),
    ],
)
def test_the_page_shows_the_numbers_on_disk(page: str, folder: Path, settings: Path) -> None:
    root = Path(__file__).parents[3]
    text = (root / RESULTS / page).read_text(encoding="utf-8")
    found = sections(root / folder, settings)
    assert len(found) > 3
    for title, table in found.items():
        assert table in text, f"{page}: not the table of {title}"
