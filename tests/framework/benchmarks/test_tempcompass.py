"""TempCompass: prompts to the character, lmms-eval's rules with their traps, the authors' files and the Hub's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.tempcompass import TempCompass
from framework.config.build import build
from framework.core.errors import UsageError

SPEED = {"video_id": "7", "dim": "speed", "question": "How fast?\nA. slow\nB. fast", "answer": "B. fast"}
YES_NO = {"video_id": "7", "dim": "order", "question": "Is it red first?", "answer": "no"}
CAPTION = {
    "video_id": "7",
    "dim": "action",
    "question": "Which caption matches the video better?\nCaption A: The ball rolls.\nCaption B: The ball bounces.",
    "answer": "Caption B: The ball bounces.",
}


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., TempCompass]:
    def make(option: str, **changes: Any) -> TempCompass:
        node = {**composed(f"benchmark={option}").benchmark, **changes}
        return build(node, TempCompass, "benchmark")

    return make


@pytest.mark.parametrize(
    ("option", "row", "prompt", "bare", "options"),
    [
        (
            "tempcompass",
            SPEED,
            SPEED["question"] + "\nPlease directly give the best option:",
            "How fast?",
            ("slow", "fast"),
        ),
        ("tempcompass_yes_no", YES_NO, "Is it red first?\nPlease answer yes or no:", "Is it red first?", ()),
        (
            "tempcompass_caption_matching",
            CAPTION,
            CAPTION["question"] + "\nPlease directly give the best option:",
            CAPTION["question"],
            (),
        ),
        ("tempcompass_captioning", {**YES_NO, "question": "Describe it."}, "Describe it.", "Describe it.", ()),
    ],
)
def test_prompts(
    option: str, row: dict[str, str], prompt: str, bare: str, options: tuple[str, ...], made: Callable[..., TempCompass]
) -> None:
    first, second = made(option).questions([row, row])
    assert (first.prompt, first.bare, first.options, first.max_new_tokens) == (prompt, bare, options, 128)
    assert first.id != second.id and first.cue == ""


@pytest.mark.parametrize(
    ("response", "correct", "parsed"),
    [
        ("B", 1, "B"),
        ("A", 0, "A"),
        ("B. fast", 1, "B"),
        ("B. slow", 1, "B"),  # what follows the period is not read
        ("B) very fast", 1, "B"),
        ("A) slow", 0, "A"),
        ("  B\n", 1, "B"),
        ("<think>A or B?</think> B", 1, "B"),
        ("(B)", 0, None),  # the judge's business
        ("b", 0, None),
        ("fast", 0, None),
        ("B: fast", 0, None),
        ("Beyond", 0, None),
        ("", 0, None),
    ],
)
def test_multiple_choice(response: str, correct: int, parsed: str | None, made: Callable[..., TempCompass]) -> None:
    result = made("tempcompass").result(response, SPEED)
    assert (result.correct, result.parsed) == (correct, parsed)


@pytest.mark.parametrize(
    ("response", "correct", "parsed"),
    [
        ("No.", 1, "no"),
        ("Not sure", 1, "no"),
        ("None of it", 1, "no"),
        ("YES, it is", 0, "yes"),
        ("yesterday", 0, "yes"),
        ("The answer is no", 0, None),
        ("", 0, None),
    ],
)
def test_yes_or_no(response: str, correct: int, parsed: str | None, made: Callable[..., TempCompass]) -> None:
    result = made("tempcompass_yes_no").result(response, YES_NO)
    assert (result.correct, result.parsed) == (correct, parsed)


@pytest.mark.parametrize(
    ("response", "correct", "parsed"),
    [
        ("B", 1, "B"),
        ("B.", 1, "B"),
        ("(B) The ball bounces.", 1, "The ball bounces."),
        ("Caption B.", 1, "Caption B"),
        ("Caption B: The ball bounces.", 1, "Caption B: The ball bounces."),
        ("The ball bounces.", 1, "The ball bounces."),
        ("A", 0, "A"),
        ("The ball rolls.", 0, "The ball rolls."),
        ("(B) The ball rolls.", 0, "The ball rolls."),  # the text decides
        ("b", 0, None),
        ("The ball bounces", 0, None),
        ("Option B", 0, None),
    ],
)
def test_captions(response: str, correct: int, parsed: str | None, made: Callable[..., TempCompass]) -> None:
    result = made("tempcompass_caption_matching").result(response, CAPTION)
    assert (result.correct, result.parsed) == (correct, parsed)


def test_a_later_rule_and_a_later_caption_win(made: Callable[..., TempCompass]) -> None:
    benchmark = made("tempcompass_caption_matching")
    row = {**CAPTION, "question": "Which?\nOption 1: 2\nOption 2: 2", "answer": "Option 2: 2"}
    assert benchmark.result("2", row).correct == 1  # the text of both, then the second head without "Option "
    row = {**CAPTION, "question": "Which?\nOption 1: 2\nOption 2: 3", "answer": "Option 1: 2"}
    assert benchmark.result("2", row).parsed == "2" and benchmark.result("2", row).correct == 1  # right for its text


def test_figures_are_percentages_over_questions(made: Callable[..., TempCompass]) -> None:
    benchmark = made("tempcompass")
    order = {**SPEED, "dim": "order"}
    results = [benchmark.result(text, row) for text, row in (("B", SPEED), ("A", SPEED), ("B", SPEED), ("B", order))]
    assert benchmark.aggregate(results) == {
        "avg_accuracy": 75.0,
        "order_accuracy": 100.0,
        "speed_accuracy": pytest.approx(200 / 3),
    }
    assert benchmark.aggregate([]) == {}


def test_captioning_has_no_accuracy(made: Callable[..., TempCompass]) -> None:
    benchmark = made("tempcompass_captioning")
    result = benchmark.result("A ball bounces.", YES_NO)
    assert (result.correct, result.parsed, result.response) == (0.0, None, "A ball bounces.")
    assert benchmark.aggregate([result]) == {}


def _videos(root: Path, *names: str) -> None:
    (root / "videos").mkdir()
    for name in names:
        (root / "videos" / f"{name}.mp4").touch()


def test_both_kinds_of_files_hold_the_same(made: Callable[..., TempCompass], tmp_path: Path) -> None:
    hub, authors = tmp_path / "hub", tmp_path / "authors"
    rows = [
        SPEED,
        {**SPEED, "question": "How?\nA. slow\nB. fast"},
        {**SPEED, "dim": "order"},
        {**SPEED, "video_id": "9"},
    ]
    (hub / "multi-choice").mkdir(parents=True)
    file = hub / "multi-choice" / "test-00000-of-00001.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    nested: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in rows:
        found = nested.setdefault(row["video_id"], {}).setdefault(row["dim"], [])
        found.append({"question": row["question"], "answer": row["answer"]})
    (authors / "questions").mkdir(parents=True)
    (authors / "questions" / "multi-choice.json").write_text(json.dumps(nested))
    for root in (hub, authors):
        _videos(root, "7")
    first, second = (made("tempcompass", root=str(root)) for root in (hub, authors))
    assert len(first) == len(second) == 1 and first.absent == second.absent
    assert dict(first.absent.videos) == {"9.mp4": 1} and not first.absent.rows
    assert first[0].items == second[0].items
    assert [item.question.id for item in first[0].items] == [
        "multi-choice-speed-7-0",
        "multi-choice-speed-7-1",
        "multi-choice-order-7-0",
    ]
    assert {item.right for item in first[0].items} == {"B"}
    assert len(made("tempcompass", root=str(hub), only={"dimension": "order"})[0].items) == 1


def test_rows_that_cannot_be_scored_are_counted(made: Callable[..., TempCompass], tmp_path: Path) -> None:
    (tmp_path / "caption_matching").mkdir()
    rows = [CAPTION, {**CAPTION, "question": "Which?\nA. no caption"}, {**CAPTION, "answer": "B"}]
    file = tmp_path / "caption_matching" / "test-0.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    _videos(tmp_path, "7")
    benchmark = made("tempcompass_caption_matching", root=str(tmp_path))
    assert len(benchmark[0].items) == 1
    assert [name for name in benchmark.absent.rows] == ["row 1", "row 2"]
    assert "such as 'Caption A" in benchmark.absent.rows["row 1"]


def test_mistakes(made: Callable[..., TempCompass], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of multi-choice, yes_no"):
        made("tempcompass", format="yes-no")
    with pytest.raises(UsageError, match=r"benchmark\.root=FOLDER"):
        len(made("tempcompass"))
    (tmp_path / "yes_no.json").write_text('{"7": ["no dimensions"]}')
    with pytest.raises(UsageError, match=r"yes_no\.json: expected"):
        len(made("tempcompass_yes_no", root=str(tmp_path)))
