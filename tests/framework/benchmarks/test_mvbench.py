"""MVBench: prompts to the character, the letter that stands alone, twenty tasks in their folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.mvbench import FOLDERS, MVBench, lone_letter
from framework.config.build import build
from framework.core.errors import UsageError

ROW = {"video": "one.mp4", "question": "What moves?", "candidates": ["a cube", "a ball", "a cat"], "answer": "a ball"}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., MVBench]:
    def make(**changes: Any) -> MVBench:
        return build({**composed("benchmark=mvbench").benchmark, **changes}, MVBench, "benchmark")

    return make


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_prompts_with_any_number_of_candidates(count: int, made: Callable[..., MVBench]) -> None:
    candidates = ["zero", "one", "two", "three", "four"][:count]
    row = {**ROW, "candidates": candidates, "answer": candidates[-1]}
    (question,) = made().questions([row])
    lines = ["(A) zero", "(B) one", "(C) two", "(D) three", "(E) four"][:count]
    options = "\n".join(lines)
    assert question.prompt == f"Question:What moves?\nOption:\n{options}\nOnly give the best option.\n"
    assert question.options == (tuple(candidates) if count > 1 else ())  # one candidate is no choice
    assert (question.bare, question.max_new_tokens) == ("What moves?", 16)
    assert made().right(row) == "ABCDE"[count - 1]


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("(B) a ball", "B"),
        ("b. a ball", "B"),
        ("B.", "B"),
        ("Answer: a ball", "A"),  # the article
        ("A cat sits. B is right", "A"),
        ("the answer is (b)", "B"),
        ("ball", None),
        ("Both, B", "B"),
        ("AB", None),
        ("A-B", "A"),  # no blank beside the mark: it becomes one
        ("-A B", "A"),
        ("A- B", "A"),
        ("A -B", "A"),
        ("X_B", "B"),
        ("X_B _", None),  # a blank beside one mark of its kind: all of them go
        ("1,000 (B)C", None),  # a thousand's comma: all marks go
        ("B\ntwo lines", "B"),
        ("it's 'B'", "B"),
        ("F", None),
        ("", None),
    ],
)
def test_the_letter_that_stands_alone(response: str, letter: str | None) -> None:
    assert lone_letter(response) == letter


def test_golden_responses(data: Path, made: Callable[..., MVBench]) -> None:
    """Scores of lmms-eval 0.7.3 where B is right."""
    cases = json.loads((data / "benchmarks" / "benchmarks_letter_extraction.json").read_text("utf-8"))
    assert len(cases) > 20
    benchmark = made()
    for case in cases:
        assert benchmark.result(case["response"], ROW).correct == case["mvbench_vs_B"], case["response"]


def test_a_task_counts_as_much_as_any_other(made: Callable[..., MVBench]) -> None:
    benchmark = made()
    counts = {"action_count": ["B", "A", "", "B"], "scene_transition": ["A"], "vlnqa": [""]}
    results = [benchmark.result(text, {**ROW, "task": task}) for task, texts in counts.items() for text in texts]
    assert benchmark.aggregate(results) == {
        "mvbench_accuracy": pytest.approx((200 / 3 + 0 + 0) / 3),
        "action_count_accuracy": pytest.approx(200 / 3),  # of the responses that are not empty
        "scene_transition_accuracy": 0.0,
        "vlnqa_accuracy": 0.0,
    }
    assert benchmark.aggregate([benchmark.result(text, ROW) for text in ("B", "C")]) == {"mvbench_accuracy": 50.0}
    assert benchmark.aggregate([]) == {}


def test_tasks_are_told_apart_by_their_files(made: Callable[..., MVBench], tmp_path: Path) -> None:
    authors, hub = tmp_path / "authors", tmp_path / "hub"
    tasks = {"action_antonym": "cut.webm", "fine_grained_pose": "S001.A2.avi", "episodic_reasoning": "castle_s01"}
    for root in (authors, hub):
        for task, stored in (
            ("action_antonym", "cut"),
            ("fine_grained_pose", "S001.A2"),
            ("episodic_reasoning", "castle_s01"),
        ):
            folder = root / FOLDERS[task]
            folder.mkdir(parents=True)
            (folder / f"{stored}.mp4").touch()
    (authors / "json").mkdir()
    for task, video in tasks.items():
        rows = [{**ROW, "video": video}, {**ROW, "video": "gone.mp4"}]
        (authors / "json" / f"{task}.json").write_text(json.dumps(rows))
        (hub / task).mkdir()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), hub / task / "train-00000-of-00001.parquet")
    (authors / "json" / "readme.json").write_text("[]")
    for root in (authors, hub):
        benchmark = made(root=str(root))
        assert len(benchmark) == 3 and not benchmark.absent.rows
        assert all(count == 1 for count in benchmark.absent.videos.values()) and len(benchmark.absent.videos) == 3
        assert sorted(item.question.id for video in benchmark for item in video.items) == [
            f"{task}-0" for task in sorted(tasks)
        ]
        assert {item.strata["task"] for video in benchmark for item in video.items} == {(task,) for task in tasks}
        assert len(made(root=str(root), only={"task": "episodic_reasoning"})) == 1


def test_tasks_share_their_videos(made: Callable[..., MVBench], tmp_path: Path) -> None:
    folder = tmp_path / "video" / "clevrer" / "video_validation"
    folder.mkdir(parents=True)
    (folder / "one.mp4").touch()
    for task in ("moving_count", "moving_direction"):
        (tmp_path / f"{task}.json").write_text(json.dumps([ROW, {**ROW, "answer": "a dog"}]))
    benchmark = made(root=str(tmp_path))
    (video,) = list(benchmark)
    assert [item.right for item in video.items] == ["B", "B"]
    assert len({item.question.id for item in video.items}) == 2
    assert (
        list(benchmark.absent.rows) == ["row 1", "row 3"] and "none of the candidates" in benchmark.absent.rows["row 1"]
    )


def test_no_task_is_explained(made: Callable[..., MVBench], tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(UsageError, match="called after a task"):
        len(made(root=str(tmp_path)))
