"""The line of one question: found, or said in one sentence why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.core.errors import UsageError
from framework.evaluation.lookup import evidence, question_line

Line = Callable[..., dict[str, Any]]
GROUPS = {"visited": [0, None], "relevance": [-1, None], "quota": [1, None], "kept": [1, None], "choice": [0, None]}


def write(folder: Path, *lines: dict[str, Any], tail: str = "", name: str = "questions") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps({"probabilities": [], "groups": GROUPS, **line}) + "\n" for line in lines)
    (folder / f"{name}.jsonl").write_text(text + tail)
    return folder


def test_a_line_is_found_also_beside_damaged_ones(tmp_path: Path) -> None:
    folder = write(tmp_path, {"id": "a"}, {"id": "b", "video": "v"}, tail='{"id": "c", "vid')
    assert question_line(folder, "b")["video"] == "v"
    write(tmp_path / "parts", {"id": "d", "video": "w"}, name="questions-00001")
    assert question_line(folder, "d")["video"] == "w"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("film-13", ["no answer to a question 'film-13', of 3", "the closest are film-1"]),
        ("xyz", ["of 3; there are film-1, old, bad"]),
        ("torn", ["questions.jsonl: line 2, that of torn, is torn or damaged"]),
        ("killed", ["questions.jsonl: the last line, that of killed, is torn or damaged"]),
        ("old", ["the line of old is of an older format"]),
        ("bad", ["the line of bad is damaged, its correct, groups cannot be read"]),
    ],
)
def test_why_there_is_no_line(tmp_path: Path, asked: str, said: list[str]) -> None:
    text = "\n".join(
        [
            json.dumps({"id": "film-1", "probabilities": [], "groups": GROUPS}),
            '{"id": "torn", "vid',
            json.dumps({"id": "old", "probabilities": []}),
            json.dumps({"id": "bad", "probabilities": [], "correct": "yes", "groups": {**GROUPS, "kept": [1]}}),
            '{"id": "killed", "vi',
        ]
    )
    (tmp_path / "questions.jsonl").write_text(text)
    with pytest.raises(UsageError) as raised:
        question_line(tmp_path, asked)
    told = str(raised.value)
    assert all(part in told for part in said) and "\n" not in told


def test_an_empty_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question is answered yet"):
        question_line(tmp_path, "a")


def test_evidence_is_that_of_the_question(tmp_path: Path) -> None:
    (tmp_path / "sources.jsonl").write_text(
        json.dumps({"id": "v", "evidence": {"a": [[1, 2.5]], "b": []}}) + "\n" + json.dumps({"id": "w"}) + "\n"
    )
    assert evidence(tmp_path, {"id": "a", "video": "v"}) == ((1.0, 2.5),)
    assert [evidence(tmp_path, line) for line in ({"id": "b", "video": "v"}, {"id": "a", "video": "w"})] == [(), ()]
