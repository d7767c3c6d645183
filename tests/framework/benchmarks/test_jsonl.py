"""A file of one's own: what a line may say, mistakes with file and line, how answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from framework.benchmarks.jsonl import Jsonl, normal
from framework.config.build import build
from framework.core.errors import UsageError

ROW = {"video": "a.mp4", "question": "Which color?", "options": ["red", "dark blue", "green"], "answer": "B"}
OPEN = {"video": "a.mp4", "question": "Which color?", "answer": "Dark blue."}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., Jsonl]:
    node = composed("benchmark=jsonl", "backbone=qwen2_5_vl_7b")

    def make(**changes: Any) -> Jsonl:
        plain = {**node.benchmark, "prompt": node.backbone.prompt, **changes}
        return build(plain, Jsonl, "benchmark")

    return make


def written(folder: Path, *rows: Any) -> str:
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(folder / "mine.jsonl")


def test_the_example_file(data: Path, made: Callable[..., Jsonl]) -> None:
    benchmark = made(file=str(data / "questions.jsonl"), strata=["topic"])
    assert len(benchmark) == 2 and dict(benchmark.absent.videos) == {"video/not_there.mp4": 1}
    pancake, space = list(benchmark)
    assert Path(pancake.path).is_file()
    assert [item.question.id for item in (*pancake.items, *space.items)] == [
        "pancake-1",
        "pancake-2",
        "video/nasa_13013.mp4-0",
        "video/nasa_13013.mp4-1",
    ]
    assert [item.right for item in (*pancake.items, *space.items)] == ["A", "B", "NASA", "B"]
    assert pancake.items[1].evidence == ((0.0, 1.5), (2.0, 3.0)) and pancake.items[0].evidence == ()
    assert pancake.items[0].strata == {"topic": ("kitchen",)}
    assert len(made(file=str(data / "questions.jsonl"), strata=["topic"], only={"topic": "space"})) == 1


def test_prompts_are_the_backbones(made: Callable[..., Jsonl]) -> None:
    choice, free = made().questions([ROW, OPEN])
    assert choice.prompt == (
        "Which color?\nA. red\nB. dark blue\nC. green\nReply with the letter of the correct option and nothing else."
    )
    assert (choice.options, choice.max_new_tokens) == (("red", "dark blue", "green"), 1)
    assert (free.prompt, free.options, free.max_new_tokens) == ("Which color?", (), 64)


@pytest.mark.parametrize("answer", ["B", "dark blue", 1])
def test_three_ways_to_name_an_option(answer: Any, made: Callable[..., Jsonl]) -> None:
    assert made().right({**ROW, "answer": answer}) == "B"


@pytest.mark.parametrize(
    ("response", "parsed"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B. dark blue", "B"),
        ("Dark  blue!", "B"),
        ("The answer is C", "C"),
        ("red", "A"),
        ("", None),
        ("something else", None),
        ("D", None),
    ],
)
def test_choices_are_read(response: str, parsed: str | None, made: Callable[..., Jsonl]) -> None:
    result = made().result(response, ROW)
    assert (result.correct, result.parsed) == (float(parsed == "B"), parsed)


def test_the_text_of_an_option_beats_its_capital(made: Callable[..., Jsonl]) -> None:
    row = {**ROW, "options": ["Banana", "Apple"], "answer": "Apple"}
    assert made().result("Apple", row).parsed == "B"
    assert made().result("A", row).parsed == "A"


@pytest.mark.parametrize(
    ("response", "correct", "parsed"),
    [("dark blue", 1, "dark blue"), (" DARK-Blue ", 1, "dark blue"), ("a dark blue", 0, "a dark blue"), ("?", 0, None)],
)
def test_open_answers_are_compared(response: str, correct: int, parsed: str | None, made: Callable[..., Jsonl]) -> None:
    result = made().result(response, OPEN)
    assert (result.correct, result.parsed) == (correct, parsed)
    assert made().result("3.5", {**OPEN, "answer": 3.5}).correct == 1


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_normal_text_stays(text: str) -> None:
    assert normal(normal(text)) == normal(text) == normal(f" «{text}» ") == normal(text.replace(" ", "\t"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": None}, "video is missing; the line has"),
        ({"video": 3}, "video must be a text"),
        ({"question": " "}, "question must be a text that is not empty"),
        ({"answer": None}, "answer is missing"),
        ({"answer": "blue"}, "answer 'blue' is none of the options"),
        ({"answer": 3}, "a number from 0 to 2"),
        ({"answer": True}, "answer True is none of the options"),
        ({"answer": "D"}, "expected a letter of A, B, C"),
        ({"options": ["B", "A"], "answer": "A"}, "answer 'A' fits several of the options"),
        ({"options": ["yes"], "answer": 0}, "one option is no choice"),
        ({"options": ["yes", "yes"], "answer": 0}, "options must differ"),
        ({"options": {"A": "yes"}}, "options must be a list of texts"),
        ({"options": [], "answer": "?!"}, "answer must be a text with words in it"),
        ({"evidence": [[2, 1]]}, "evidence must be"),
        ({"evidence": [1, 2]}, "evidence must be"),
        ({"topic": None}, "topic is missing"),
        ({"id": "first"}, "id 'first' is taken by line 1"),
    ],
)
def test_mistakes_name_file_and_line(
    changes: dict[str, Any], message: str, made: Callable[..., Jsonl], tmp_path: Path
) -> None:
    first = {**ROW, "id": "first", "topic": "x"}
    second = {key: value for key, value in {**ROW, "topic": "x", **changes}.items() if value is not None}
    file = written(tmp_path, first, second)
    with pytest.raises(UsageError, match="line 2: ") as error:
        len(made(file=file, strata=["topic"]))
    assert f"{file}, line 2: " in str(error.value) and message in str(error.value)


def test_lines_are_counted_with_the_empty_ones(made: Callable[..., Jsonl], tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(f"\n{json.dumps(ROW)}\n\n" + 12 * (json.dumps({"video": "a.mp4"}) + "\n"))
    with pytest.raises(UsageError) as error:
        len(made(file=str(file)))
    message = str(error.value)
    assert "line 4: question is missing" in message and "line 13:" in message and "line 14:" not in message
    assert message.endswith("and 2 more lines")


def test_files_are_found_and_missed(made: Callable[..., Jsonl], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"benchmark\.file=FILE"):
        len(made())
    with pytest.raises(UsageError, match="no such file"):
        len(made(file=str(tmp_path / "none.jsonl")))
    with pytest.raises(UsageError, match="holds no question"):
        len(made(file=written(tmp_path)))
    file = written(tmp_path, ROW)
    assert len(made(file=file)) == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.mp4").touch()
    assert len(made(file=file, root=str(tmp_path / "elsewhere"))) == 1
    rows = tmp_path / "mine.json"
    rows.write_text(json.dumps([{**ROW, "video": str(tmp_path / "elsewhere" / "a.mp4")}]))
    assert len(made(file=str(rows))) == 1  # a list of rows, and a whole path
