"""A run ends with the same lines however often it is interrupted, and no question ends it."""

from __future__ import annotations

import errno
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from framework.benchmarks.base import VideoItem
from framework.core.errors import UsageError
from framework.evaluation.distributed import World
from framework.evaluation.results import gather
from framework.evaluation.runner import Status
from framework.trackers import NoTracker
from framework.video.errors import VideoError

SCRIPT = Path(__file__).with_name("toy_run.py")
ROOT = Path(__file__).resolve().parents[3]
TOY = runpy.run_path(str(SCRIPT))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def questions(folder: Path) -> list[str]:
    return (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    TOY["runner"](folder, TOY["ToyPipeline"]()).run()
    return questions(folder)


def test_a_run_by_hand(tmp_path: Path, undisturbed: list[str]) -> None:
    seen: list[Status] = []
    summary = TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run(seen.append)
    assert len(undisturbed) == summary["n"] == 27 and questions(tmp_path) == undisturbed
    right = sum(json.loads(line)["correct"] for line in undisturbed)
    assert summary["accuracy"] == pytest.approx(right / 27, abs=1e-6) and summary["groups_visited_share"] == 0.5
    assert summary["absent"]["videos"] == {"video 99": 3} and summary["failed"] == 0
    assert [s.videos for s in seen] == list(range(1, 10)) and seen[-1].answered == 27 and seen[-1].of == 9
    line = json.loads(undisturbed[0])
    assert line["groups"]["visited"] == [0, None] and line["groups"]["quota"] == [3, None]
    assert line["groups"]["signals"]["entropy"][1] is None and "seconds" not in line


@pytest.mark.parametrize("cut", [0, 1, 100, 2500])
def test_a_torn_file_is_repaired_and_completed(cut: int, tmp_path: Path, undisturbed: list[str]) -> None:
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    file = tmp_path / "questions.jsonl"
    file.write_bytes(file.read_bytes()[:-cut] if cut else file.read_bytes())
    again = TOY["ToyPipeline"]()
    TOY["runner"](tmp_path, again).run()
    assert questions(tmp_path) == undisturbed
    assert bool(again.calls) == bool(cut) and all(len(names) == 3 for names in again.calls)  # whole videos, or nothing


def test_killed_at_any_moment_it_ends_the_same(tmp_path: Path, undisturbed: list[str]) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), "0.05"]
    for wanted in (4, 17):
        process = subprocess.Popen(command, env=ENVIRONMENT)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if (tmp_path / "questions.jsonl").exists() and len(questions(tmp_path)) >= wanted:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "summary.json").exists()
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    assert questions(tmp_path) == undisturbed
    timings = [json.loads(line)["id"] for line in (tmp_path / "timings.jsonl").read_text().splitlines()]
    assert sorted(timings) == sorted(json.loads(line)["id"] for line in undisturbed)


def test_two_processes_write_what_one_does(tmp_path: Path, undisturbed: list[str]) -> None:
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(SCRIPT), str(tmp_path), "0"]
    done = subprocess.run([sys.executable, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert questions(tmp_path) == undisturbed and not (tmp_path / "parts").exists()
    assert json.loads((tmp_path / "summary.json").read_text())["n"] == 27


def test_parts_of_a_killed_run_are_gathered_once(tmp_path: Path, undisturbed: list[str]) -> None:
    two = World(rank=1, size=2, barrier=lambda: None)
    with pytest.raises(FileNotFoundError):  # nobody writes the summary: the first process is missing
        TOY["runner"](tmp_path, TOY["ToyPipeline"](), two).run()
    (part,) = (tmp_path / "parts").glob("questions-*.jsonl")
    kept = part.read_text()
    gather(tmp_path)
    part.parent.mkdir(exist_ok=True)
    part.write_text(kept + '{"id": "to')  # as if the kill came between appending and removing
    gather(tmp_path)
    assert len(questions(tmp_path)) == 4 * 3  # videos 1, 3, 5, 7
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    assert questions(tmp_path) == undisturbed


def test_the_first_process_sees_what_the_others_wrote(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TOY["runner"](tmp_path, TOY["ToyPipeline"](), World(rank=1, size=2)).run()
    seen: list[Status] = []

    (tmp_path / "parts").rename(tmp_path / "aside")  # the other process writes while this one runs
    pipeline = TOY["ToyPipeline"]()
    pipeline.fails = lambda names: _give_back(tmp_path)
    TOY["runner"](tmp_path, pipeline, World(rank=0, size=2)).run(seen.append)
    assert len(seen[-1].lines) == 27 and seen[-1].of == 5


def _give_back(folder: Path) -> None:
    if (folder / "aside").exists():
        for file in (folder / "aside").iterdir():
            file.rename(folder / "parts" / file.name)
        (folder / "aside").rmdir()


def test_a_failing_question_is_written_down_and_tried_again(tmp_path: Path, undisturbed: list[str]) -> None:
    failing = TOY["ToyPipeline"](fails=lambda names: ZeroDivisionError("no") if "4-1" in names else None)
    summary = TOY["runner"](tmp_path, failing).run()
    assert summary["failed"] == 1 and summary["errors"] == {"4-1": "ZeroDivisionError: no"} and summary["n"] == 26
    assert failing.calls.count(["4-1"]) == 1 and ["4-0"] in failing.calls and ["3-0", "3-1", "3-2"] in failing.calls
    again = TOY["ToyPipeline"]()
    assert TOY["runner"](tmp_path, again).run()["failed"] == 0
    assert again.calls == [["4-0", "4-1", "4-2"]] and questions(tmp_path) == undisturbed


def test_a_bad_video_fails_all_its_questions_at_once(tmp_path: Path) -> None:
    bad = TOY["ToyPipeline"](fails=lambda names: VideoError("2.mp4", "torn", "whole") if "2-0" in names else None)
    summary = TOY["runner"](tmp_path, bad).run()
    assert summary["failed"] == 3 and len(bad.calls) == 9


def test_a_wrong_setting_ends_the_run(tmp_path: Path) -> None:
    wrong = TOY["ToyPipeline"](fails=lambda names: UsageError("set scorer.layers"))
    with pytest.raises(UsageError, match=r"scorer\.layers"):
        TOY["runner"](tmp_path, wrong).run()


@pytest.mark.parametrize(("times", "failed"), [(2, 0), (100, 3)])
def test_out_of_memory_retries_with_smaller_passes(times: int, failed: int, tmp_path: Path) -> None:
    left = [times]

    def fails(names: list[str]) -> Exception | None:
        if names[0][0] != "0" or not left[0]:
            return None
        left[0] -= 1
        return torch.OutOfMemoryError("CUDA out of memory")

    pipeline: Any = TOY["ToyPipeline"](fails=fails)
    summary = TOY["runner"](tmp_path, pipeline).run()
    assert summary["failed"] == failed
    assert pipeline.backbone.lighter == 2 if not failed else pipeline.backbone.lighter > 2


def test_changed_questions_are_not_mixed_with_old_answers(tmp_path: Path) -> None:
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    file = tmp_path / "questions.jsonl"
    file.write_text(file.read_text().replace('"prompt": "', '"prompt": "0'))
    with pytest.raises(UsageError, match=r"question 0-0 was answered in other words before"):
        TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()


def doubled(folder: Path) -> None:
    """As two writers at once would leave it: every line twice, the second time the wrong way round."""
    for name in ("questions", "timings"):
        lines = (folder / f"{name}.jsonl").read_text().splitlines(keepends=True)
        turned = [line.replace('"correct": 1.0', '"correct": 0.0') for line in lines]
        (folder / f"{name}.jsonl").write_text("".join([*lines, *turned]))


def test_a_folder_with_every_line_twice_heals(tmp_path: Path, undisturbed: list[str]) -> None:
    before = TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    doubled(tmp_path)
    again = TOY["ToyPipeline"]()
    after = TOY["runner"](tmp_path, again).run()
    assert after == before and questions(tmp_path) == undisturbed and not again.calls
    assert len((tmp_path / "timings.jsonl").read_text().splitlines()) == 27


@pytest.mark.parametrize("name", ["questions", "timings", "failures"])
@pytest.mark.parametrize("garbage", ["\0\0\0\0", "", '["a list"]', '{"id": "4-1"}', '{"id": "4-1", "correct": NaN}'])
def test_the_question_of_a_damaged_line_is_asked_again(
    name: str, garbage: str, tmp_path: Path, undisturbed: list[str]
) -> None:
    no = ZeroDivisionError("no")
    TOY["runner"](tmp_path, TOY["ToyPipeline"](fails=lambda names: no if "8-1" in names else None)).run()
    file = tmp_path / f"{name}.jsonl"
    lost = "8-1" if name == "failures" else "4-1"
    lines = [line for line in file.read_text().splitlines() if json.loads(line)["id"] != lost]
    file.write_text("\n".join([garbage, *lines]) + "\n")
    again = TOY["ToyPipeline"]()
    summary = TOY["runner"](tmp_path, again).run()
    asked = {names[0][0] for names in again.calls}
    assert asked == {lost[0], "8"} and summary["n"] == 27 and questions(tmp_path) == undisturbed
    assert (tmp_path / f"{name}.jsonl.bad").read_text() == garbage + "\n"
    assert summary["seconds"] > 0 and len((tmp_path / "timings.jsonl").read_text().splitlines()) == 27


def test_damaged_lines_of_parts_are_moved_into_the_folder(tmp_path: Path, undisturbed: list[str]) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "questions-00001.jsonl").write_text("garbage\n")
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    assert questions(tmp_path) == undisturbed and not (tmp_path / "parts").exists()
    assert (tmp_path / "questions.jsonl.bad").read_text() == "garbage\n"


def test_a_full_disk_ends_the_run_at_once_and_loses_nothing(tmp_path: Path, undisturbed: list[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    pipeline = TOY["ToyPipeline"](fails=lambda names: full if "4-1" in names else None)
    with pytest.raises(OSError, match="No space left"):
        TOY["runner"](tmp_path, pipeline).run()
    assert pipeline.calls[-1] == ["4-0", "4-1", "4-2"] and len(questions(tmp_path)) == 12
    assert not (tmp_path / "failures.jsonl").exists()
    TOY["runner"](tmp_path, TOY["ToyPipeline"]()).run()
    assert questions(tmp_path) == undisturbed


class Listening(NoTracker):
    def __init__(self) -> None:
        self.told: list[tuple[float, float]] = []

    def log(self, values: Mapping[str, float]) -> None:
        self.told.append((values["questions"], values["failed"]))


def test_a_tracker_hears_only_what_is_new(tmp_path: Path) -> None:
    def told(pipeline: Any) -> list[tuple[float, float]]:
        ours = replace(TOY["runner"](tmp_path, pipeline), tracker=Listening())
        ours.run()
        return ours.tracker.told

    failing = TOY["ToyPipeline"](fails=lambda names: ZeroDivisionError("no") if "4-1" in names else None)
    assert told(failing) == [(3, 0), (6, 0), (9, 0), (12, 0), (14, 1), (17, 1), (20, 1), (23, 1), (26, 1)]
    assert told(failing) == []  # the same question failed again
    assert told(TOY["ToyPipeline"]()) == [(27, 0)]
    assert told(TOY["ToyPipeline"]()) == []


def test_the_next_open_video_is_announced_before_this_one_is_asked(tmp_path: Path) -> None:
    """Videos that are answered already are passed over, and nothing comes after the last."""
    told: list[str] = []
    pipeline = TOY["ToyPipeline"]()
    runner = replace(TOY["runner"](tmp_path, pipeline), announce=lambda path: told.append(f"{path} {pipeline.calls}"))
    pipeline.fails = lambda names: RuntimeError("no") if names[0][0] in "257" else None
    runner.run()
    assert [line.split()[0] for line in told] == [f"{index}.mp4" for index in range(1, 9)]
    assert told[0] == "1.mp4 []"
    told.clear()
    runner.run()
    assert [line.split()[0] for line in told] == ["5.mp4", "7.mp4"]
    pipeline.fails = lambda names: None
    told.clear()
    runner.run()
    assert [line.split()[0] for line in told] == ["5.mp4", "7.mp4"]
    told.clear()
    runner.run()
    assert told == []


def test_a_video_that_cannot_be_outlined_fails_at_its_own_turn(tmp_path: Path) -> None:
    told: list[str] = []
    runner = replace(TOY["runner"](tmp_path, TOY["ToyPipeline"]()), announce=told.append)

    class Broken(type(runner.benchmark)):  # type: ignore[misc]
        def __getitem__(self, index: int) -> VideoItem:
            if index == 2:
                raise UsageError("the annotations end here")
            return super().__getitem__(index)

        def outline(self, index: int) -> VideoItem:
            return self[index] if index < 2 or told == ["1.mp4"] else super().__getitem__(index)

    with pytest.raises(UsageError, match="the annotations end here"):
        replace(runner, benchmark=Broken()).run()
    assert told == ["1.mp4"] and len(questions(tmp_path)) == 6
