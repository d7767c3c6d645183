"""Who shares a recording: all that look at groups alike, whatever they decide afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.common import composing
from experiments.yardstick import answering
from experiments.yardstick.answering import Cell
from framework.config.identity import identity

CELL = Cell(("backbone=lab", "benchmark=needle"), {"benchmark.videos": 2, "benchmark.opacity": 0.1}, 64, "cell")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collects the identity of what is run or recorded, instead of running it."""
    seen: list[str] = []

    def run(words: Sequence[str], title: str, record: bool = False, composed: Any = None, around: Any = None) -> Path:
        how = "recorded" if record else "live" if around else "nothing shared"
        seen.append(f"{how} {identity(composed)}")
        return Path("look")

    monkeypatch.setattr(answering, "run", run)
    monkeypatch.setattr(answering, "replay", lambda *given, **named: Path("replayed"))
    with composing():
        yield seen


def test_what_is_decided_later_shares_a_recording(looks: list[str]) -> None:
    alike = (
        ["preset=adapttoken"],
        ["preset=adapttoken", "backbone.temperature=0.6"],
        ["preset=adapttoken", "relevance=margin", "allocator=equal", "refiner=none"],
        ["preset=adapttoken_lite", "stopping.entropy=0.3"],
        ["preset=vote", "scorer=attention"],
    )
    for budget, words in zip((64, 16, 16, 64, 16), alike, strict=True):
        assert CELL.answered("m", words, budget) == Path("replayed")
    assert len(looks) == 5 and len(set(looks)) == 1 and looks[0].startswith("recorded ")


@pytest.mark.parametrize("other", ["backbone.group_ticks=16", "scorer.rows=all", "splitter=contiguous"])
def test_what_is_seen_differs(other: str, looks: list[str]) -> None:
    for words in (["preset=adapttoken"], ["preset=adapttoken", other]):
        CELL.answered("m", words, 16)
    assert len(set(looks)) == 2


def test_who_looks_at_nothing_runs_live(looks: list[str]) -> None:
    assert CELL.answered("m", ["preset=uniform"], 16) == Path("look") and looks[0].startswith("live ")


@pytest.mark.parametrize("preset", ["autogaze", "high_entropy"])
def test_who_looks_at_pixels_or_tokens_alone_is_recorded_too(preset: str, looks: list[str]) -> None:
    assert CELL.answered("m", [f"preset={preset}"], 16) == Path("replayed") and looks[0].startswith("recorded ")


def test_another_model_that_looks_shares_nothing(looks: list[str]) -> None:
    assert CELL.answered("m", ["preset=adapttoken", "prober=lab"], 16) == Path("look")
    assert looks[0].startswith("nothing shared ")
