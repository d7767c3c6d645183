"""LVBench: three kinds of annotation files, several names of a video, labels and times of a question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.lvbench import LVBench
from framework.config.build import build
from framework.core.errors import UsageError

QUESTION = "Which team (A) wears {green}?\n(A) North\n(B) South\n(C) East\n(D) West"
ROW: dict[str, Any] = {
    "key": "bbbbbbbbbbb",
    "type": "sport",
    "uid": "7",
    "question": QUESTION,
    "answer": "C",
    "question_type": ["entity recognition", "reasoning"],
    "time_reference": "12:01-12:30",
}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., LVBench]:
    def make(**changes: Any) -> LVBench:
        return build({**composed("benchmark=lvbench").benchmark, **changes}, LVBench, "benchmark")

    return make


def test_prompts(made: Callable[..., LVBench]) -> None:
    (question,) = made().questions([ROW])
    assert question.prompt == QUESTION + "\nAnswer the question with the option letter"
    assert (question.id, question.bare, question.max_new_tokens) == ("7", "Which team (A) wears {green}?", 16)
    assert question.options == ("North", "South", "East", "West")
    (question,) = made(profile="flexselect").questions([ROW])
    assert question.prompt == (
        "Select the best answer to the following multiple-choice question based on the video. "
        "Respond with only the letter (A, B, C, or D) of the correct option.\n"
        "Which team A wears {green}?\nA North\nB South\nC East\nD West\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert (question.bare, question.max_new_tokens) == ("Which team A wears {green}?", 1)
    assert question.options == ("North", "South", "East", "West")


def test_options_in_a_field_of_their_own(made: Callable[..., LVBench]) -> None:
    row = {**ROW, "question": "Which team?", "options": ["North", "South"]}
    (question,) = made().questions([row])
    assert question.prompt == "Which team?\n(A) North\n(B) South\nAnswer the question with the option letter"
    assert (question.bare, question.options) == ("Which team?", ("North", "South"))
    assert made().questions([{**ROW, "options": None}]) == made().questions([ROW])


@pytest.mark.parametrize(
    ("reference", "spans"),
    [
        ("12:01-12:30", ((721.0, 750.0),)),
        ("00:05 - 1:02:03", ((5.0, 3723.0),)),
        ("75:00-76:10", ((4500.0, 4570.0),)),
        ("12:30-12:01", ()),
        ("12:30-12:30", ()),
        ("12:30", ()),
        ("soon", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_evidence(reference: str | None, spans: tuple[tuple[float, float], ...], made: Callable[..., LVBench]) -> None:
    assert made().evidence({**ROW, "time_reference": reference}) == spans
    assert made().evidence({key: value for key, value in ROW.items() if key != "time_reference"}) == ()


@pytest.mark.parametrize("asked", [ROW["question_type"], "['entity recognition', 'reasoning']"])
def test_a_question_counts_under_each_of_its_labels(asked: Any, made: Callable[..., LVBench]) -> None:
    strata = made().strata({**ROW, "question_type": asked})
    assert strata == {"type": ("sport",), "question_type": ("entity recognition", "reasoning")}
    assert made().strata({**ROW, "question_type": "reasoning"})["question_type"] == ("reasoning",)


def test_share_right(made: Callable[..., LVBench]) -> None:
    benchmark = made()
    results = [benchmark.result(text, ROW) for text in ("C", "The answer is C.", "(D)")]
    assert benchmark.aggregate(results) == {"lvbench_score": 2 / 3} and benchmark.aggregate([]) == {}
    open_ended = {**ROW, "question": "Which team?"}
    assert made(random_fallback=1).result("green", open_ended).parsed is None  # nothing to draw from
    assert made(extraction="legacy").result("East, C", ROW).parsed == "C"
    assert made(extraction="legacy").result("Both of C", ROW).parsed == "B"


def test_the_authors_file(tmp_path: Path, made: Callable[..., LVBench]) -> None:
    question = {key: ROW[key] for key in ("uid", "question", "answer", "question_type", "time_reference")}
    lines = [
        {"key": "first", "type": "tv", "video_info": {"fps": 25.0}, "qa": [question, {**question, "uid": "8"}]},
        {"key": "second", "type": "live", "qa": [{**question, "uid": "9"}]},
        {"key": "third", "type": "tv", "qa": [{**question, "uid": "10"}, {**question, "uid": "11", "answer": "X?"}]},
        {"key": "fourth", "type": "tv", "qa": [{**question, "uid": "12"}]},
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "video_info.meta.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "data" / "first.mkv").touch()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "00000001.mp4").touch()
    (tmp_path / "third.MP4").touch()
    benchmark = made(root=str(tmp_path))
    assert [(video.id, Path(video.path).name, len(video.items)) for video in benchmark] == [
        ("first.mp4", "first.mkv", 2),
        ("second.mp4", "00000001.mp4", 1),
        ("third.mp4", "third.MP4", 1),
    ]
    assert benchmark[0].items[0].evidence == ((721.0, 750.0),)
    assert benchmark.absent.videos == {"fourth.mp4": 1} and "X?" in benchmark.absent.rows["row 4"]
    assert [video.id for video in made(root=str(tmp_path), only={"type": "tv"}, limit=1)] == ["first.mp4"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_one_question_per_row(kind: str, tmp_path: Path, made: Callable[..., LVBench]) -> None:
    rows = [{**ROW, "uid": 1, "video_path": "renamed.mp4"}, {**ROW, "uid": 2, "key": "other", "question_type": None}]
    rows[1]["video_path"] = "other.mp4"
    if kind == "parquet":
        (tmp_path / "data").mkdir()
        table = pyarrow.Table.from_pylist(rows)
        pyarrow.parquet.write_table(table, tmp_path / "data" / "train-00000-of-00001.parquet")
    else:
        (tmp_path / "lvbench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "renamed.mp4").touch()
    benchmark = made(root=str(tmp_path))
    ((item,),) = [video.items for video in benchmark]
    assert item.question.id == "1" and item.right == "C"
    assert list(benchmark.absent.rows) == ["row 1"] and not benchmark.absent.videos


def test_nothing_there(tmp_path: Path, made: Callable[..., LVBench]) -> None:
    with pytest.raises(UsageError, match=r"video_info\.meta\.jsonl"):
        len(made(root=str(tmp_path)))
