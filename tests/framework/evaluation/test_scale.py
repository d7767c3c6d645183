"""Runs over opacities, from folders to figures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.evaluation.scale import measure

OPACITIES = (0.05, 0.1, 0.3, 1.0)
RIGHT = {  # of eight questions on four videos, at each opacity
    "sharp": ([0, 1, 0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 1, 1, 1, 1], [1] * 8, [1] * 8),
    "blunt": ([1, 0, 0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1, 1, 0], [1] * 8),
}
Write = Callable[..., Path]


@pytest.fixture
def folders(tmp_path: Path, write_run: Write, made_line: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Two methods, four opacities, two seeds of four questions each; a question costs 10 operations, of seed 1 20."""
    found: dict[str, Any] = {}
    for name, scale in RIGHT.items():
        for opacity, right in zip(OPACITIES, scale, strict=True):
            for seed in (0, 1):
                places = range(4 * seed, 4 * seed + 4)
                lines = [made_line(n, right[n], evidence_found=n % 2 == 0, evidence_kept=n / 8) for n in places]
                folder = write_run(tmp_path / f"{name}-{opacity}-{seed}", lines=lines)
                timings = [{"id": line["id"], "seconds": 1.0, "flops": 10.0 * (1 + seed)} for line in lines]
                (folder / "timings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in timings))
                found.setdefault(name, {}).setdefault(opacity, []).append(folder)
    return found


def test_methods_over_a_scale(folders: dict[str, Any]) -> None:
    sharp, blunt = measure(folders, resamples=200)
    assert (sharp.name, sharp.n, sharp.videos, sharp.operations) == ("sharp", 8, 4, 15)
    assert [cell.accuracy.value for cell in blunt.cells] == [0.25, 0.375, 0.75, 1]
    assert [cell.opacity for cell in blunt.cells] == list(OPACITIES)
    assert sharp.cells[0].evidence_found == 0.5 and sharp.cells[0].evidence_kept == 3.5 / 8
    assert sharp.threshold.curve.chance == 0.5 and sharp.threshold.ratio is None  # two options
    assert 0.05 < sharp.threshold.value.least < 0.1 < blunt.threshold.value.least < 0.35  # .75 is met at .3
    ratio = blunt.threshold.ratio
    assert ratio is not None and ratio.least == pytest.approx(blunt.threshold.value.least / sharp.threshold.value.least)


def test_other_questions_are_refused(folders: dict[str, Any], write_run: Write, tmp_path: Path) -> None:
    folders["blunt"][0.3] = [write_run(tmp_path / "other", [1, 1])]
    with pytest.raises(UsageError, match=r"blunt at opacity 0\.3 has not answered the same questions"):
        measure(folders, resamples=10)


def test_questions_without_options_have_no_threshold(
    tmp_path: Path, write_run: Write, made_line: Callable[..., dict[str, Any]]
) -> None:
    lines = [made_line(0, 1, probabilities=[])]
    runs = {opacity: [write_run(tmp_path / str(opacity), lines=lines)] for opacity in OPACITIES}
    with pytest.raises(UsageError, match="questions with options"):
        measure({"open": runs}, resamples=10)


def test_operations_are_unknown_without_timings(folders: dict[str, Any]) -> None:
    for runs in folders["blunt"].values():
        for folder in runs:
            (folder / "timings.jsonl").unlink()
    assert math.isnan(measure(folders, resamples=10)[1].operations)
