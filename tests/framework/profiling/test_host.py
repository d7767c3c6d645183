"""The bench of the host: rows by place, bytes counted by hand, and wrong wishes refused."""

from __future__ import annotations

from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.profiling.host import PER_GROUP, PER_QUESTION, HostBench, by_place
from framework.profiling.null_backbone import Shapes
from framework.profiling.watch import Watch

KEYS: dict[str, Any] = {
    "shapes": Shapes(3, 4, 64, 2, 8, 50, "bfloat16"),
    "questions": (1, 3),
    "groups": 3,
    "ticks": 4,
    "budget": 2000,  # more than there are: all 3 x 48 tokens are kept
    "alike": 0.5,
    "preset": "adapttoken",
    "rounds": 1,
    "device": "cpu",
}
TOKEN = 2 * 64 + 4 * 8  # bytes: a bfloat16 embedding, then tick, row, column and seconds


def test_rows_and_bytes() -> None:
    rows = list(HostBench(**KEYS).rows())
    places = [*PER_GROUP, "all", *PER_QUESTION, "other"]
    assert [(row["questions"], row["place"]) for row in rows] == [(n, place) for n in (1, 3) for place in places]
    assert [row["per"] for row in rows[: len(places)]] == ["group"] * 8 + ["question"] * 3 + ["run"]
    moved = {(row["questions"], row["place"]): row["MB"] for row in rows if row["MB"] != ""}
    pixels, group = 4 * 2 * 3 * (3 * 28) * (4 * 28), 48 * TOKEN
    once = {"frames": round(pixels / 1e6, 3), "pixels": 0, "copy": 0, "park": round(group / 1e6, 3)}
    once["candidates"] = round(3 * group / 1e6, 3)  # a question's
    assert moved == {(n, place): size for n in (1, 3) for place, size in once.items()}


def test_what_no_place_accounts_for_is_other() -> None:
    watch = Watch()
    watch.stages.update({"timeline": 1, "decode": 2, "encode": 3, "probe": 4, "score": 5, "allocate": 6, "refine": 70})
    watch.places.update({"look": 20, "park": 7, "refiner": 60})
    assert by_place(watch, 110) == {
        "frames": 2,
        "encode": 3,
        "probe": 4,
        "score": 5,
        "copy": 6,  # 20 - 2 - 3 - 4 - 5
        "park": 7,
        "allocate": 6,
        "candidates": 10,
        "refine": 60,
        "other": 7,  # 110 - 103
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"preset": "nothing"}, "what.preset: got 'nothing', expected one of .*uniform"),
        ({"questions": (1, 1)}, r"what.questions: got \[1, 1\], expected .* in ascending order"),
        ({"groups": 0}, "what.groups: got 0, expected at least 1"),
        ({"alike": 1.0}, "what.alike: got 1.0, expected a cosine from 0 to below 1"),
        ({"device": "tpu"}, "what.device: got 'tpu'"),
    ],
)
def test_wrong_wishes_name_the_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HostBench(**{**KEYS, **change})


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.profiling.checks.free_bytes", lambda _: 1e5)
    with pytest.raises(
        UsageError, match=r"what.groups: got 3, which take up to .* of memory are free: expected about 0"
    ):
        next(HostBench(**KEYS).rows())
