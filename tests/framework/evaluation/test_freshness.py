"""A run that goes on says what its benchmark says now: nothing stale is kept, nothing fresh is asked again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.core.errors import UsageError
from framework.core.outcome import Cost, GroupTrace, Outcome, Trace
from framework.core.types import Answer, Question
from framework.evaluation.freshness import Source
from framework.evaluation.runner import Runner
from framework.trackers import NoTracker

Rows = Mapping[str, Mapping[str, str]]  # video -> question -> right answer


class Toy(Benchmark):
    """Two options per question; a question's words are its id."""

    name = "toy"

    def __init__(self, folder: Path, rows: Rows, evidence: Mapping[str, Sequence[tuple[float, float]]] = {}) -> None:
        self.videos = [
            VideoItem(
                video, str(folder / video), tuple(self._item(name, right, evidence) for name, right in row.items())
            )
            for video, row in rows.items()
        ]

    def _item(self, name: str, right: str, evidence: Mapping[str, Sequence[tuple[float, float]]]) -> Item:
        question = Question(name.split("/")[0], f"{name} ?", f"{name} ?", ("red", "blue"))
        return Item(question, right, evidence=tuple(evidence.get(name, ())))

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoItem:
        return self.videos[index]


class Always:
    """A pipeline that always answers A, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def answer(self, path: str, questions: Sequence[Question]) -> list[Outcome]:
        self.calls.append([question.id for question in questions])
        trace = Trace((GroupTrace(0, (0.0, 1.0), 0),), {"probe": Cost(1.0, 1)}, 6, 12, 3, 4, 5)
        return [Outcome(question, Answer("A", 0, (0.9, 0.1), 0.3), trace, None) for question in questions]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("one.mp4", "two.mp4"):
        (folder / name).write_text(name)
    return folder


ROWS = {"one.mp4": {"a": "A", "b": "B"}, "two.mp4": {"c": "A"}}


def run(folder: Path, benchmark: Toy, **more: Any) -> tuple[dict[str, Any], list[list[str]]]:
    """The summary, and what was asked this time."""
    pipeline = Always()
    return Runner(pipeline, benchmark, folder, NoTracker(), **more).run(), pipeline.calls  # type: ignore[arg-type]


def stored(folder: Path, name: str = "questions.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.fixture
def begun(tmp_path: Path, films: Path) -> Path:
    """A finished run: a and c are right, b is not."""
    summary, calls = run(tmp_path / "run", Toy(films, ROWS))
    assert (summary["n"], summary["accuracy"], summary["left_out"]) == (3, pytest.approx(2 / 3, abs=1e-6), [])
    assert calls == [["a", "b"], ["c"]]
    return tmp_path / "run"


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_where_nothing_has_changed_nothing_does(begun: Path, films: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = files(begun)
    _, calls = run(begun, Toy(films, ROWS))
    assert calls == [] and files(begun) == before and not caplog.records


def test_a_corrected_answer_is_scored_again(begun: Path, films: Path, caplog: pytest.LogCaptureFixture) -> None:
    corrected = {"one.mp4": {"a": "B", "b": "A"}, "two.mp4": {"c": "A"}}
    summary, calls = run(begun, Toy(films, corrected))
    assert calls == [] and summary["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert [(line["id"], line["right"], line["correct"]) for line in stored(begun)] == [
        ("a", "B", 0.0),
        ("b", "A", 1.0),
        ("c", "A", 1.0),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "2 answers are scored again, since the benchmark's annotations have changed"
    ]


def test_a_removed_and_a_replaced_row_are_left_out(begun: Path, films: Path) -> None:
    summary, calls = run(begun, Toy(films, {"one.mp4": {"a": "A"}, "two.mp4": {"d": "B"}}))
    assert (summary["n"], summary["accuracy"], summary["left_out"]) == (2, 0.5, ["b", "c"])
    assert calls == [["d"]] and summary["seconds"] == 2.0
    assert [line["id"] for line in stored(begun)] == [
        "a",
        "d",
        "b",
        "c",
    ]  # nothing is lost; what is asked now comes first


def test_a_line_of_a_stranger_does_not_count(begun: Path, films: Path) -> None:
    line = {**stored(begun)[0], "id": "stranger"}
    with open(begun / "questions.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    summary, _ = run(begun, Toy(films, ROWS))
    assert summary["n"] == 3 and summary["left_out"] == ["stranger"]


def test_a_replaced_video_is_looked_at_again(begun: Path, films: Path, caplog: pytest.LogCaptureFixture) -> None:
    (films / "one.mp4").write_text("another film")
    _, calls = run(begun, Toy(films, ROWS))
    assert calls == [["a", "b"]] and [line["id"] for line in stored(begun)] == ["a", "b", "c"]
    assert [line["id"] for line in stored(begun, "questions.jsonl.old")] == ["a", "b"]
    assert "2 questions are asked again, since their video or the evidence in it has changed: one.mp4" in caplog.text
    assert run(begun, Toy(films, ROWS))[1] == []


def test_a_film_of_the_same_length_is_another_one(begun: Path, films: Path) -> None:
    (films / "one.mp4").write_text("ENO.mp4")
    os.utime(films / "one.mp4", ns=(1, 1))
    assert run(begun, Toy(films, ROWS))[1] == [["a", "b"]]


def test_a_copied_video_is_the_same(begun: Path, films: Path) -> None:
    os.utime(films / "one.mp4", ns=(1, 1))
    assert run(begun, Toy(films, ROWS))[1] == []
    assert {line["id"]: line["modified"] for line in stored(begun, "sources.jsonl")}["one.mp4"] == 1


def test_files_that_are_not_read_whole_count_by_their_time(tmp_path: Path, films: Path) -> None:
    def source(video: VideoItem) -> Source:
        return Source([Path(video.path)], hashed=False)

    run(tmp_path / "run", Toy(films, ROWS), source=source)
    os.utime(films / "one.mp4", ns=(1, 1))
    assert run(tmp_path / "run", Toy(films, ROWS), source=source)[1] == [["a", "b"]]


def test_a_missing_video_is_not_a_changed_one(begun: Path, films: Path) -> None:
    (films / "one.mp4").unlink()
    assert run(begun, Toy(films, ROWS))[1] == []


def test_changed_evidence_is_looked_for_again(tmp_path: Path, films: Path) -> None:
    run(tmp_path / "run", Toy(films, ROWS, {"a": [(0.0, 1.0)]}))
    _, calls = run(tmp_path / "run", Toy(films, ROWS, {"a": [(0.0, 2.0)]}))
    assert calls == [["a", "b"]] and [line["id"] for line in stored(tmp_path / "run")] == ["a", "b", "c"]
    assert run(tmp_path / "run", Toy(films, ROWS, {"a": [(0.0, 2.0)]}))[1] == []


def test_a_question_about_another_video_is_asked_again(begun: Path, films: Path) -> None:
    _, calls = run(begun, Toy(films, {"one.mp4": {"b": "B"}, "two.mp4": {"c": "A", "a": "A"}}))
    assert calls == [["c", "a"]] and {line["id"]: line["video"] for line in stored(begun)}["a"] == "two.mp4"


def test_a_folder_without_sources_goes_on_and_notices_from_then_on(begun: Path, films: Path) -> None:
    (begun / "sources.jsonl").unlink()
    assert run(begun, Toy(films, ROWS))[1] == []
    (films / "two.mp4").write_text("another film")
    assert run(begun, Toy(films, ROWS))[1] == [["c"]]


def test_other_words_are_refused_before_anything_is_asked(begun: Path, films: Path) -> None:
    before = files(begun)
    benchmark = Toy(films, {"one.mp4": {"a": "A", "new": "A"}, "two.mp4": {"c/in other words": "A"}})
    pipeline = Always()
    with pytest.raises(UsageError, match="question c was answered in other words before"):
        Runner(pipeline, benchmark, begun, NoTracker()).run()  # type: ignore[arg-type]
    assert pipeline.calls == [] and files(begun) == before
