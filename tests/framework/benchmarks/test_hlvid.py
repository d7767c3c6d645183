"""HLVid: the prompt stays as it is, letters are read, categories are counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.hlvid import HLVid
from framework.config.build import build

PROMPT = (
    "What does the label say?\nA. Salt\nB. Sugar\nC. Tea\nD. Rice\n"
    "Please answer directly with the letter of the correct answer."
)
ROW = {
    "question_id": 8,
    "category": "household",
    "video_path": "clip_household_video_0_000.mp4",
    "question": PROMPT,
    "answer": "C",
}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., HLVid]:
    def make(**changes: Any) -> HLVid:
        return build({**composed("benchmark=hlvid").benchmark, **changes}, HLVid, "benchmark")

    return make


def test_the_prompt_is_the_field(made: Callable[..., HLVid]) -> None:
    (question,) = made().questions([ROW])
    assert question.prompt == PROMPT and question.bare == "What does the label say?"
    assert question.options == ("Salt", "Sugar", "Tea", "Rice") and question.max_new_tokens == 16


@pytest.mark.parametrize(
    ("response", "correct", "parsed"),
    [("C", 1, "C"), ("C. Tea", 1, "C"), ("The answer is (C)", 1, "C"), ("B", 0, "B"), ("tea", 0, None), ("", 0, None)],
)
def test_letters(response: str, correct: int, parsed: str | None, made: Callable[..., HLVid]) -> None:
    result = made().result(response, ROW)
    assert (result.correct, result.parsed) == (correct, parsed)


def test_figures(made: Callable[..., HLVid]) -> None:
    benchmark = made()
    av = {**ROW, "category": "av"}
    results = [benchmark.result(text, row) for text, row in (("C", ROW), ("A", ROW), ("C", ROW), ("none", av))]
    assert benchmark.aggregate(results) == {
        "hlvid_accuracy": 50.0,
        "av_accuracy": 0.0,
        "household_accuracy": pytest.approx(200 / 3),
    }
    assert benchmark.aggregate([]) == {}


def test_files(made: Callable[..., HLVid], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / ROW["video_path"]).touch()  # type: ignore[operator]
    other = {**ROW, "video_path": "videos/clip_av_video_0_001.mp4", "category": "av"}  # the same number, another clip
    rows = [ROW, {**ROW, "question_id": 9}, other, {**ROW, "question_id": 10, "answer": "E"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data" / "test-00000-of-00001.parquet")
    benchmark = made(root=str(tmp_path))
    assert [len(video.items) for video in benchmark] == [2]
    assert benchmark[0].items[0].strata == {"category": ("household",)} and benchmark[0].items[0].right == "C"
    assert dict(benchmark.absent.videos) == {other["video_path"]: 1}
    assert list(benchmark.absent.rows) == ["row 3"] and "one of A, B, C, D" in benchmark.absent.rows["row 3"]
    (tmp_path / "videos" / "clip_av_video_0_001.mp4").touch()
    assert len(made(root=str(tmp_path))) == 2
