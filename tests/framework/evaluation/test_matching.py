"""Only common questions are compared, and everything that is left out or differs is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.evaluation.matching import match
from framework.evaluation.runs import Run


def run(name: str, questions: Iterable[str], benchmark: str = "toy", preset: str = "", **more: Any) -> Run:
    lines = {q: {"id": q, "video": q[0], "prompt": f"hash {q}", "right": "A"} for q in questions}
    return Run(name, benchmark, lines, {}, frozenset(), True, Path(f"runs/{name}"), f"id {name}", preset, **more)


def test_common_questions_in_the_order_of_the_reference() -> None:
    first = run("first", ["b1", "a1", "a2", "c1"])
    second = replace(run("second", ["a2", "a1", "b1", "d1"]), failed=frozenset({"c1"}), finished=False)
    (part,), warnings = match([first, second])
    assert part.reference.name == "first" and part.questions == ("b1", "a1", "a2") and part.videos == ("b", "a", "a")
    assert part.dropped == 2
    assert warnings == [
        "toy: first lacks 1 of 5 questions (1 not asked or not answered yet)",
        "toy: second is not finished, 4 questions so far",
        "toy: second lacks 1 of 5 questions (1 failed)",
    ]


def test_runs_that_asked_differently() -> None:
    first, second = run("first", ["a1", "a2"]), run("second", ["a1", "a2"])
    second.lines["a1"]["prompt"] = "other"  # type: ignore[index]
    second.lines["a2"]["right"] = "B"  # type: ignore[index]
    _, warnings = match([first, second])
    assert warnings == [
        "toy: the runs asked differently, second and first, in 1 of 2 questions",
        "toy: the runs hold another answer for right, second and first, in 1 of 2 questions",
    ]


def test_benchmarks_and_sizes_of_a_benchmark_are_compared_apart() -> None:
    def frames(count: str) -> dict[str, str]:
        return {"benchmark.name": "toy", "benchmark.frames": count, "budget": "8"}

    runs = [
        run("uniform", ["a1", "a2"], config=frames("64")),
        run("uniform", ["x1"], config=frames("256")),
        run("vote", ["x1"], config=frames("256")),
        run("vote", ["a1", "a2"], config=frames("64")),
        run("vote", ["a1"], "other"),
        run("best", ["a1"], "other"),
        run("lonely", ["a1"], "third"),
    ]
    parts, warnings = match(runs)
    assert [part.benchmark for part in parts] == ["toy, frames 64", "toy, frames 256", "other"]
    assert [part.reference.name for part in parts] == ["uniform", "uniform", "vote"]
    assert warnings == [
        "other: uniform has no run there; the reference is vote",
        "lonely is the only run with these questions of third: left out",
    ]


@pytest.mark.parametrize("reference", ["second", "id second", "runs/second", "./runs/../runs/second", "other"])
def test_a_reference_by_name_id_folder_or_preset(reference: str) -> None:
    (part,), _ = match([run("first", ["a1"], preset="one"), run("second", ["a1"], preset="other")], reference)
    assert part.reference.name == "second"


def test_what_cannot_be_compared() -> None:
    first, second = run("first", ["a1"], preset="one"), run("second", ["a1"], preset="one")
    with pytest.raises(UsageError, match="at least two runs, got 1: runs/first"):
        match([first])
    with pytest.raises(UsageError, match=r"no two of the 2 runs .*first \(toy\), third \(other\)"):
        match([first, run("third", ["a1"], "other")])
    with pytest.raises(UsageError, match=r"there is no such run; expected a folder or one of: first; second"):
        match([first, second], "nobody")
    with pytest.raises(UsageError, match="several runs have this preset"):
        match([first, second], "one")
    with pytest.raises(UsageError, match=r"no question was answered by all of these runs"):
        match([run("left", ["a"]), run("both", ["a", "b"]), run("right", ["b"])])
