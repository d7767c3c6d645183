"""`sieve compare` as people meet it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures import command_line
from tests.fixtures.command_line import Ran

GOOD, BAD = [1] * 12, [1, 1, 0, 0] * 3


@pytest.fixture
def sieve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`sieve("compare", ...)` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(command_line.sieve, "compare")


def test_a_sweep_is_compared_and_written(sieve: Callable[..., Ran], write_run: Callable[..., Path]) -> None:
    write_run(Path("sweep/1"), GOOD, "adapttoken", ["preset=adapttoken", "budget=16"])
    write_run(Path("sweep/2"), BAD, "adapttoken", ["preset=adapttoken", "budget=8"])
    write_run(Path("sweep/3"), [], "broken")
    words = ("sweep", "--out", "out", "--resamples", "300", "--reference", "adapttoken budget=8")
    ran = sieve(*words)
    assert ran.status == 0, ran.err
    for part in (
        "! left out: sweep/3: no question is answered yet",
        "12 questions on 6 videos; differences to adapttoken budget=8",
        "+0.500",
        "asked colour",
        "calibration",
        "results   out",
    ):
        assert part in ran.out
    written = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    assert set(written) == {
        *("comparison.md", "comparison.csv", "comparison.png"),
        *("strata.csv", "signals.csv", "calibration.csv", "differences.csv"),
    }
    assert sieve(*words).out == ran.out
    assert written == {file.name: file.read_bytes() for file in Path("out").iterdir()}


def test_default_folder_depends_on_the_runs(sieve: Callable[..., Ran], write_run: Callable[..., Path]) -> None:
    a, b, c = (str(write_run(Path(name), GOOD, name)) for name in "abc")
    for words in ((a, b), (a, b), (a, c)):
        assert sieve(*words, "--resamples", "100").status == 0
    assert len(list(Path("outputs/compare").iterdir())) == 2


def test_unfinished_runs_are_warned_of(sieve: Callable[..., Ran], write_run: Callable[..., Path]) -> None:
    write_run(Path("a"), GOOD, "a"), write_run(Path("b"), GOOD[:6], "b", finished=False, failed=["q11"])
    ran = sieve("a", "b", "--resamples", "100")
    assert ran.status == 0
    assert "! toy: b is not finished, 6 questions so far" in ran.out
    assert "! toy: b lacks 6 of 12 questions (1 failed, 5 not asked or not answered yet)" in ran.out
    assert "6 that not all runs have are left out" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "got no run folder, expected at least two"),
        (("nowhere", "a"), "there is no folder 'nowhere'"),
        (("a",), "at least two runs, got 1: a"),
        (("a", "a"), "at least two runs, got 1: a"),
        (("a", "empty"), "empty: no question is answered yet"),
        (("a", "other"), "no two of the 2 runs answered a common question"),
        (("a", "b", "--reference", "c"), "--reference c: there is no such run"),
        (("a", "b", "--refrence", "a"), "unrecognized arguments: --refrence"),
        (("a", "b", "--resamples", "many"), "--resamples: invalid int value: 'many'"),
        (("a", "b", "--resamples", "5"), "--resamples must be at least 100, got 5"),
        (("a", "b", "--seed"), "--seed: expected one argument"),
    ],
)  # fmt: skip
def test_wrong_use_is_one_message(
    sieve: Callable[..., Ran], write_run: Callable[..., Path], words: tuple[str, ...], said: str
) -> None:
    write_run(Path("a"), GOOD, "a"), write_run(Path("b"), BAD, "b"), write_run(Path("empty"), [])
    write_run(Path("other"), GOOD, config={"benchmark": {"name": "other"}})
    ran = sieve(*words)
    assert ran.status == 2 and ran.out == ""
    assert re.search(re.escape(said), ran.err), ran.err
    assert ran.err.startswith("sieve: ") and ran.err.count("\n") == 1
    assert not Path("outputs").exists()
