"""What of a benchmark is there: every kind of gap is counted and named; the exit status says whether any is left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from framework.benchmarks.mvbench import MVBench
from framework.commands.doctor_benchmark import MANY, examine
from framework.video.readers.pyav import PyAVReader

Ran = tuple[int, str]


@pytest.fixture
def root(tmp_path: Path, data: Path) -> Path:
    """TempCompass with one good video, an empty one, one that is no video, a missing one, and a row without answer."""
    folder = tmp_path / "Temp, Compass=1"
    (folder / "videos").mkdir(parents=True)
    (folder / "questions").mkdir()
    shutil.copy(data / "video" / "h265_video.mp4", folder / "videos" / "good.mp4")
    (folder / "videos" / "empty.mp4").touch()
    (folder / "videos" / "text.mp4").write_text("no video")
    fast = {"question": "How fast?\nA. slow\nB. fast", "answer": "B. fast"}
    rows = {name: {"speed": [fast, fast], "order": [fast]} for name in ("good", "empty", "text", "gone")}
    rows["good"]["order"] = [{**fast, "answer": ""}, fast]
    (folder / "questions" / "multi-choice.json").write_text(json.dumps(rows))
    return folder


def cells(out: str) -> dict[str, list[str]]:
    """First word(s) of a line of the table -> its figures."""
    found = (line.rsplit(maxsplit=3) for line in out.splitlines() if line.rstrip().endswith("%"))
    return {name.strip(): figures for name, *figures in found}


def test_every_gap_is_counted_and_named(doctor: Callable[..., Ran], root: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    status, out = doctor("benchmark=tempcompass", f"benchmark.root={root}")
    assert status == 0, out
    assert cells(out) == {
        "videos": ["1", "4", "25.0%"],
        "questions": ["3", "13", "23.1%"],
        "dimension: order": ["1", "5", "20.0%"],
        "dimension: speed": ["2", "8", "25.0%"],
    }
    assert "missing videos (their questions: 3): 1\n  gone.mp4" in out
    assert "videos that cannot be read: 2" in out and "the file is empty" in out and "text.mp4" in out
    assert "rows that cannot be asked: 1" in out and "answer must be a text" in out
    assert sorted(tmp_path.rglob("*")) == before  # nothing was written


def test_the_report_has_all_names(doctor: Callable[..., Ran], root: Path, tmp_path: Path) -> None:
    status, out = doctor("benchmark=tempcompass", f"benchmark.root={root}", "report=all names.json")
    assert status == 0 and "all names.json" in out
    report = json.loads((tmp_path / "all names.json").read_text("utf-8"))
    assert report["benchmark"] == "tempcompass" and report["root"] == str(root)
    assert report["named"]["questions"] == 13 and report["covered"]["questions"] == 3
    assert report["missing"] == {"gone.mp4": 3} and set(report["unreadable"]) == {"empty.mp4", "text.mp4"}
    assert list(report["rows"]) == ["row 2"]
    status, out = doctor("benchmark=tempcompass", f"benchmark.root={root}", "report=no/where.json")
    assert status == 2 and "there is no folder no" in out


def test_parts_and_limits(doctor: Callable[..., Ran], root: Path) -> None:
    words = ("benchmark=tempcompass", f"benchmark.root={root}")
    status, out = doctor(*words, "benchmark.only={dimension: order}", "benchmark.limit=1")
    assert status == 0 and "benchmark.limit=1" in out
    assert cells(out)["questions"] == ["1", "5", "20.0%"] and "dimension: speed" not in out


def test_nothing_covered_is_a_failure(doctor: Callable[..., Ran], root: Path) -> None:
    (root / "videos" / "good.mp4").unlink()
    status, out = doctor("benchmark=tempcompass", f"benchmark.root={root}")
    assert status == 1 and "an evaluation would cover nothing" in out and cells(out)["videos"] == ["0", "4", "0.0%"]


def test_mistakes_and_made_videos(doctor: Callable[..., Ran], tmp_path: Path) -> None:
    status, out = doctor("benchmark=tempcompass")
    assert status == 2 and "benchmark.root=FOLDER" in out
    (tmp_path / "mine.jsonl").write_text('{"video": "a.mp4", "question": "Is it?", "answer": ""}\n')
    status, out = doctor("benchmark=jsonl", "benchmark.file=mine.jsonl")
    assert status == 2 and "mine.jsonl, line 1: answer must be a text" in out
    status, out = doctor("benchmark=needle", "benchmark.videos=3", f"benchmark.folder={tmp_path / 'never'}")
    assert status == 0 and "all 3 are covered" in out and not (tmp_path / "never").exists()


def test_many_videos_have_a_bar(tmp_path: Path) -> None:
    folder = tmp_path / "perception" / "videos"
    folder.mkdir(parents=True)
    rows = [{"video": f"{i}.mp4", "question": "?", "candidates": ["a", "b"], "answer": "a"} for i in range(MANY)]
    (tmp_path / "action_count.json").write_text(json.dumps(rows))
    for row in rows:
        (folder / str(row["video"])).touch()
    benchmark = MVBench(name="mvbench", post_prompt="", max_new_tokens=16, root=str(tmp_path), limit=None, only=None)
    with (tmp_path / "screen").open("w+") as screen:
        bar = Console(file=screen, force_terminal=True, width=100)
        coverage = examine(benchmark, PyAVReader(threads=1), bar)
        screen.seek(0)
        assert f"{MANY}/{MANY}" in screen.read()
    assert not coverage.videos and len(coverage.unreadable) == MANY
    assert coverage.covered == {"videos": 0, "questions": 0, "task: action_count": 0}
    with (tmp_path / "file").open("w+") as screen:
        examine(benchmark, PyAVReader(threads=1), Console(file=screen, force_terminal=False))
        screen.seek(0)
        assert screen.read() == ""
