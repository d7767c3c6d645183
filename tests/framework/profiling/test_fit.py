"""The bench that compares predicted with measured memory: its rows, and wrong wishes refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.profiling import fit_process
from framework.profiling.fit import FitBench
from framework.profiling.random_model import Sizes

SIZES = Sizes(2, 64, 4, 2, 96, 2, 32, 2, 48, 1000)
KEYS: dict[str, Any] = {
    "sizes": SIZES,
    "dtype": "bfloat16",
    "presets": ("adapttoken", "uniform"),
    "frames": (16,),
    "questions": (1, 3),
    "ticks": 4,
    "grid": (2, 3),
    "words": 10,
    "budget": 12,
    "seed": 0,
}


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def of_process(words: Sequence[str], frames: int, size: tuple[int, int], many: int, long: int) -> int:
        (place,) = [word.partition("=")[2] for word in words if word.startswith("backbone.adapter.checkpoint=")]
        assert (Path(place.strip("'\"")) / "config.json").is_file() and "backbone.group_ticks=4" in words
        asked.append((words[0], frames, size, many, long))
        return 10**7

    monkeypatch.setattr(fit_process, "of_process", of_process)
    rows = list(FitBench(**KEYS).rows())
    assert asked == [
        (f"preset={preset}", 16, (56, 84), many, 10) for preset in ("adapttoken", "uniform") for many in (1, 3)
    ]
    assert [row["weights MB"] for row in rows] == [round(2 * SIZES.parameters() / 1e6, 1)] * 4
    assert all(row["measured MB"] == 10.0 and 0 < row["predicted MB"] < 10 for row in rows)
    assert rows[0]["x"] == pytest.approx(10 / rows[0]["predicted MB"], rel=0.1)
    beside = [(row["predicted MB"] - row["weights MB"], row["beside weights"]) for row in rows]
    assert all(one == pytest.approx(other, abs=0.11) for one, other in beside)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"presets": ()}, "what.presets: got an empty list"),
        ({"presets": ("magic",)}, "what.presets: got 'magic', expected one of"),
        ({"dtype": "float8"}, "what.dtype: got 'float8'"),
        ({"frames": (4, 2)}, "what.frames: got"),
        ({"questions": ()}, "what.questions: got"),
        ({"grid": (0, 3)}, "what.grid: got 0, expected at least 1"),
    ],
)
def test_wrong_wishes(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FitBench(**{**KEYS, **changes})


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fit_process, "STATUS", tmp_path / "nothing")
    with pytest.raises(UsageError, match="only Linux says what a process uses"):
        next(iter(FitBench(**KEYS).rows()))
