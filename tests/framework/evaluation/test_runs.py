"""Run folders are found and read as they are, and nothing is written into them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from framework.core.errors import UsageError
from framework.evaluation.runs import find, flat, load

Writer = Callable[..., Path]


def test_find_takes_runs_sweeps_patterns_and_names(write_run: Writer, tmp_path: Path) -> None:
    for name in ("sweep/b", "sweep/a", "alone", "key=value"):
        write_run(tmp_path / name, [1, 0])
    found = find([str(tmp_path / "alone"), str(tmp_path / "sweep")])
    assert found == [("", tmp_path / "alone"), ("", tmp_path / "sweep/a"), ("", tmp_path / "sweep/b")]
    assert find([str(tmp_path / "sweep/*"), str(tmp_path / "sweep/a")]) == found[1:]  # each folder once
    assert find([f"ours={tmp_path / 'alone'}"]) == [("ours", tmp_path / "alone")]
    assert find([str(tmp_path / "key=value")]) == [("", tmp_path / "key=value")]


def test_find_says_what_is_wrong(write_run: Writer, tmp_path: Path) -> None:
    write_run(tmp_path / "sweep/a", [1]), write_run(tmp_path / "sweep/b", [1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="there is no folder 'nowhere'"):
        find(["nowhere"])
    with pytest.raises(UsageError, match="no run in there"):
        find([str(tmp_path / "empty")])
    with pytest.raises(UsageError, match="a name is for one run, got 2"):
        find([f"ours={tmp_path / 'sweep'}"])


def test_load_reads_everything(write_run: Writer, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [1, 0, 1], "uniform", ["budget=8"], {"budget": 8}, failed=["q1", "q9"])
    run = load(folder)
    assert (run.benchmark, run.id, run.preset, run.overrides) == ("toy", "id-run", "uniform", ("budget=8",))
    assert list(run.lines) == ["q0", "q1", "q2"] and run.seconds == {"q0": 0.0, "q1": 1.0, "q2": 2.0}
    assert run.failed == {"q9"}  # q1 was answered later
    assert run.finished and run.versions == {"commit": "abc"}
    assert run.config == {"benchmark.name": "toy", "budget": "8"}  # neither tracker nor places


def test_a_run_in_progress_is_read_without_touching_it(write_run: Writer, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [1, 0, 1], finished=False)
    (folder / "parts").mkdir()
    lines = (folder / "questions.jsonl").read_text().splitlines(keepends=True)
    (folder / "questions.jsonl").write_text(lines[0])
    (folder / "parts/questions-00001.jsonl").write_text(lines[0] + lines[1] + lines[2][:30])  # a torn last line
    before = {file: file.read_bytes() for file in folder.rglob("*.jsonl")}
    run = load(folder)
    assert list(run.lines) == ["q0", "q1"] and not run.finished
    assert before == {file: file.read_bytes() for file in folder.rglob("*.jsonl")}


def test_an_old_summary_does_not_finish_a_run(write_run: Writer, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [1, 0, 1])
    (folder / "summary.json").write_text(json.dumps({"benchmark": "toy", "n": 2}))
    assert not load(folder).finished


def test_load_says_what_is_wrong(write_run: Writer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question is answered yet"):
        load(write_run(tmp_path / "nothing", []))
    with pytest.raises(UsageError, match="older format"):
        load(write_run(tmp_path / "old", lines=[{"id": "q0", "correct": 1.0}]))
    folder = write_run(tmp_path / "unknown", [1], finished=False)
    (folder / "config.yaml").unlink()
    with pytest.raises(UsageError, match="which benchmark this is"):
        load(folder)


def test_flat() -> None:
    node = {"a": {"b": [1, "x"], "root": "/data", "c": {"d": None}}, "progress": True, "seed": 0}
    assert flat(node) == {"a.b": '[1, "x"]', "a.c.d": "None", "seed": "0"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("questions", "garbage"),
        ("questions", '{"id": "q9", "correct": NaN}'),
        ("questions", '{"id": "q9", "correct": 1.0}'),
        ("timings", "[1]"),
        ("failures", "\0"),
    ],
)
def test_a_damaged_line_is_named(name: str, line: str, write_run: Writer, tmp_path: Path) -> None:
    file = write_run(tmp_path / "run", [1, 0, 1]) / f"{name}.jsonl"
    file.write_text(before := file.read_text() + line + "\n")
    with pytest.raises(UsageError, match=rf"{name}\.jsonl, line \d is no result line \(") as caught:
        load(tmp_path / "run")
    assert f"line {len(before.splitlines())} " in str(caught.value) and file.read_text() == before


@pytest.mark.parametrize("name", ["run.json", "summary.json"])
def test_a_damaged_description_is_named(name: str, write_run: Writer, tmp_path: Path) -> None:
    (write_run(tmp_path / "run", [1]) / name).write_text('{"id": "to')
    with pytest.raises(UsageError, match=rf"{name} is damaged"):
        load(tmp_path / "run")


def test_what_a_run_left_out_is_not_compared(write_run: Writer, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [1, 0, 1])
    (folder / "summary.json").write_text(json.dumps({"benchmark": "toy", "n": 2, "left_out": ["q1"]}))
    run = load(folder)
    assert list(run.lines) == ["q0", "q2"] and run.finished
