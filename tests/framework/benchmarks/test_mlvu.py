"""MLVU: M-Avg, the test split's traps, the Hub's files and the authors'."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.mlvu import MLVU
from framework.config.build import ConfigError, build

ASKED = "What {did} I put away?\n(A) a cup\n(B) a key\n(C) a book\n(D) a pen\n"
ROW: dict[str, Any] = {
    "video_name": "ego_1.mp4",
    "duration": 480.0,
    "question": ASKED,
    "candidates": ["a cup", "a key", "a book", "a pen"],
    "answer": "B",
    "task_type": "ego",
    "question_id": "Q0",
}
AUTHORS = {
    "video": "ego_1.mp4",
    "duration": 480.0,
    "question": "What {did} I put away?",
    "candidates": ["a cup", "a key", "a book", "a pen"],
    "answer": "a key",
    "question_type": "ego",
}
TEST_ROW = {
    **ROW,
    "question": ASKED + "(E) a pin\n(F) a can\n",
    "candidates": [*ROW["candidates"], "a pin", "a can"],
    "answer": "E",
}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., MLVU]:
    def make(option: str = "mlvu", **changes: Any) -> MLVU:
        return build({**composed(f"benchmark={option}").benchmark, **changes}, MLVU, "benchmark")

    return make


@pytest.mark.parametrize("row", [ROW, AUTHORS])
@pytest.mark.parametrize(
    ("option", "profile", "prompt", "tokens"),
    [
        ("mlvu", "lmms_eval_0_7_3", ASKED + "\nOnly give the best option.\nBest option: (", 16),
        ("mlvu", "plm", ASKED + "\nOnly give the best option.", 16),
        (
            "mlvu",
            "flexselect",
            ASKED + "\nAnswer with the best option's letter from the given choices directly.\nBest option: (",
            16,
        ),
        (
            "mlvu",
            "official",
            "Question: What {did} I put away?\nOptions:\n(A) a cup\n(B) a key\n(C) a book\n(D) a pen\n"
            "Only give the best option.",
            16,
        ),
        ("mlvu_test", "lmms_eval_0_7_3", ASKED, 16),
        ("mlvu_test", "fixed_test_prompt", ASKED + "\nOnly give the best option.\nBest option: (", 16),
        (
            "mlvu_test",
            "flexselect",
            ASKED + "\nAnswer with the best option's letter from the given choices directly.\nBest option: (",
            1,
        ),
    ],
)
def test_prompts(
    row: dict[str, Any], option: str, profile: str, prompt: str, tokens: int, made: Callable[..., MLVU]
) -> None:
    (question,) = made(option, profile=profile).questions([row])
    assert question.prompt == prompt and question.bare == "What {did} I put away?"
    assert question.options == ("a cup", "a key", "a book", "a pen") and question.max_new_tokens == tokens
    assert question.cue == ("Best Option: (" if profile == "official" else "")
    assert made(option).right(row) == "B"


def test_m_avg_is_over_tasks_and_not_over_questions(made: Callable[..., MLVU]) -> None:
    benchmark = made()
    ego = [benchmark.result(text, ROW) for text in ("B", "B", "B", "C")]
    count = [benchmark.result("A", {**ROW, "task_type": "count"})]
    assert benchmark.aggregate(ego) == {"mlvu_percetion_score": 75 / 7}  # six tasks without questions count 0
    assert benchmark.aggregate(ego + count) == {"mlvu_percetion_score": 75 / 7}
    rest = ("anomaly_reco", "needle", "order", "plotQA", "topic_reasoning")
    full = [benchmark.result("B", {**ROW, "task_type": task}) for task in rest]
    assert benchmark.aggregate(ego + count + full) == {"mlvu_percetion_score": 575 / 7}
    assert benchmark.aggregate([]) == {}
    assert made("mlvu_test").aggregate(ego) == {"mlvu_percetion_score": 75 / 9}


def test_the_needle_task_has_two_names(made: Callable[..., MLVU]) -> None:
    row = {**AUTHORS, "question_type": "findNeedle"}
    assert made().strata(row) == {"task_type": ("needle",)}
    with pytest.raises(ValueError, match=r"sub_scene.*topic_reasoning"):
        made().strata({**AUTHORS, "question_type": "sub_scene"})
    with pytest.raises(ValueError, match="needleQA"):
        made("mlvu_test").strata(row)


def test_e_and_f_are_never_right_as_upstream_reads_them(made: Callable[..., MLVU]) -> None:
    benchmark = made("mlvu_test")
    assert benchmark.question(TEST_ROW).options[4:] == ("a pin", "a can")
    assert benchmark.right(TEST_ROW) == "E"
    assert [benchmark.result(text, TEST_ROW).parsed for text in ("E", "E. Dog", "(F)")] == [None, "D", None]
    legacy = made("mlvu_test", extraction="legacy")
    assert [legacy.result(text, TEST_ROW).correct for text in ("E", "E)", "(E) pin", "E.")] == [1, 1, 1, 0]
    assert legacy.result("E.", TEST_ROW).parsed is None
    with pytest.raises(ValueError, match="answer='E'"):
        made().right({**ROW, "answer": "E"})


def test_identities_tell_questions_apart(made: Callable[..., MLVU]) -> None:
    rows = [ROW, {**ROW, "question_id": "Q1"}, {**ROW, "task_type": "count"}, {**ROW, "video_name": "ego_2.mp4"}]
    rows += [AUTHORS, {**AUTHORS, "question": "Why?"}]
    identities = [question.id for question in made().questions(rows)]
    assert identities[0] == "ego/ego_1/Q0" and len(set(identities)) == len(rows)
    assert identities == [question.id for question in made().questions(rows)]


def test_the_hubs_files(tmp_path: Path, made: Callable[..., MLVU]) -> None:
    rows = [ROW, {**ROW, "question_id": "Q1", "answer": "G"}, {**ROW, "question_id": "Q2", "task_type": "summary"}]
    rows += [{**ROW, "question_id": "Q3", "video_name": "gone.mp4"}]
    (tmp_path / "mlvu").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "mlvu" / "test-00000-of-00001.parquet")
    (tmp_path / "ego_1.mp4").touch()
    benchmark = made(root=str(tmp_path))
    assert [(video.id, len(video.items)) for video in benchmark] == [("ego_1.mp4", 1)]
    assert benchmark.absent.videos == {"gone.mp4": 1} and set(benchmark.absent.rows) == {"row 1", "row 2"}


def test_the_authors_files(tmp_path: Path, made: Callable[..., MLVU]) -> None:
    files = {
        "2_needle": [{**AUTHORS, "video": "needle_1.mp4", "question_type": "findNeedle"}],
        "3_ego": [AUTHORS, {**AUTHORS, "question": "Why?", "answer": "a spoon"}],
        "8_sub_scene": [{"video": "s.mp4", "question": "Describe.", "answer": "A scene.", "question_type": "subPlot"}],
    }
    (tmp_path / "json").mkdir()
    for stem, rows in files.items():
        (tmp_path / "json" / f"{stem}.json").write_text(json.dumps(rows))
        (tmp_path / "video" / stem).mkdir(parents=True)
        for row in rows:
            (tmp_path / "video" / stem / row["video"]).touch()
    benchmark = made(root=str(tmp_path))
    assert [(video.id, [item.right for item in video.items]) for video in benchmark] == [
        ("needle_1.mp4", ["B"]),
        ("ego_1.mp4", ["B"]),
    ]
    assert list(benchmark.absent.rows) == ["row 2"] and "a spoon" in benchmark.absent.rows["row 2"]
    assert len(made(root=str(tmp_path), only={"task_type": "needle"})) == 1


@pytest.mark.parametrize(
    ("option", "changes", "words"),
    [
        ("mlvu", {"split": "train"}, ["split=train", "dev", "test"]),
        ("mlvu", {"profile": "fixed_test_prompt"}, ["profile=fixed_test_prompt", "plm"]),
        ("mlvu_test", {"profile": "plm"}, ["profile=plm", "fixed_test_prompt"]),
    ],
)
def test_wrong_keys(option: str, changes: dict[str, Any], words: list[str], made: Callable[..., MLVU]) -> None:
    with pytest.raises(ConfigError) as caught:
        made(option, **changes)
    assert all(word in str(caught.value) for word in words)
