"""LongVideoBench: options of varying number, two kinds of annotation files, subtitles between frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.longvideobench import LongVideoBench
from framework.benchmarks.subtitles import between_frames, frame_seconds
from framework.config.build import ConfigError, build

ROW: dict[str, Any] = {
    "video_id": "vid0",
    "id": "vid0_0",
    "video_path": "vid0.mp4",
    "subtitle_path": "vid0_en.json",
    "correct_choice": 1,
    "question": "What does the person on the stage hold?",
    "option0": "a lamp",
    "option1": "a violin",
    "option2": "a hat",
    "option3": "N/A",
    "option4": "N/A",
    "duration": 4.2,
    "duration_group": 15,
    "question_category": "S2O",
    "topic_category": "KA-Knowledge-Art",
    "starting_timestamp_for_subtitles": 10.0,
}
FROM_JSON = {
    **{key: value for key, value in ROW.items() if not key.startswith("option")},
    "candidates": ["a lamp", "a violin", "a hat"],
    "level": "L1-Perception",
}
PROMPT = (
    "What does the person on the stage hold?\nA. a lamp\nB. a violin\nC. a hat\n"
    "Answer with the option's letter from the given choices directly.\n"
)
SUBTITLES = [
    {"start": "00:00:10.500", "end": "00:00:13.500", "line": "at 2, after that frame"},
    {"start": "00:00:13.100", "end": "00:00:13.400", "line": "short, at 3.25, widened to 2.75..3.75"},
    {"start": "00:00:13.550", "end": "00:00:13.650", "line": "short, at 3.6, widened to 3.1..4.1, no frame"},
]


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., LongVideoBench]:
    def make(option: str = "longvideobench", **changes: Any) -> LongVideoBench:
        return build({**composed(f"benchmark={option}").benchmark, **changes}, LongVideoBench, "benchmark")

    return make


@pytest.mark.parametrize("row", [ROW, FROM_JSON])
@pytest.mark.parametrize(("profile", "tokens"), [("lmms_eval_0_7_3", 32), ("flexselect", 1)])
def test_questions(row: dict[str, Any], profile: str, tokens: int, made: Callable[..., LongVideoBench]) -> None:
    (question,) = made(profile=profile).questions([row])
    assert question.prompt == PROMPT and question.bare == row["question"] and question.id == "vid0_0"
    assert question.options == ("a lamp", "a violin", "a hat") and question.max_new_tokens == tokens


def test_options_that_are_not_there(made: Callable[..., LongVideoBench]) -> None:
    short = {key: value for key, value in ROW.items() if key not in ("option3", "option4")}
    assert made().questions([short, {**ROW, "option4": None}]) == made().questions([ROW, ROW])


def test_strata(made: Callable[..., LongVideoBench]) -> None:
    expected = {"duration_group": ("15",), "question_category": ("S2O",), "topic_category": ("KA-Knowledge-Art",)}
    assert made().strata(ROW) == expected
    assert made().strata(FROM_JSON) == {**expected, "level": ("L1-Perception",)}


@pytest.mark.parametrize(
    ("response", "current", "legacy"),
    [
        ("B", "B", "B"),
        ("Best option: B", "B", "B"),
        ("The violin, I Believe", "B", None),
        ("(A) rather than (B)", "A", "B"),
        ("it is a violin that she holds there", None, "B"),
        ("E", "E", None),  # reads a letter that is no option; wrong, and not drawn again
        ("b", None, None),
    ],
)
def test_letters(response: str, current: str | None, legacy: str | None, made: Callable[..., LongVideoBench]) -> None:
    for extraction, expected in (("current", current), ("legacy", legacy)):
        result = made(extraction=extraction).result(response, ROW)
        assert (result.parsed, result.correct) == (expected, float(expected == "B"))
    assert made(profile="flexselect").result(response, ROW).parsed == legacy


def test_random_fallback_stays_within_the_options(made: Callable[..., LongVideoBench]) -> None:
    benchmark = made(random_fallback=3)
    drawn = {benchmark.result("?", {**ROW, "id": str(i)}).parsed for i in range(60)}
    assert drawn == {"A", "B", "C"}
    assert benchmark.result("E", ROW).parsed == "E"


def test_five_digits(made: Callable[..., LongVideoBench]) -> None:
    benchmark = made()
    assert benchmark.aggregate([benchmark.result(text, ROW) for text in "BBA"]) == {"lvb_acc": 0.66667}
    assert benchmark.aggregate([]) == {}


@pytest.mark.parametrize("kind", ["parquet", "json"])
def test_files(kind: str, tmp_path: Path, made: Callable[..., LongVideoBench]) -> None:
    row = ROW if kind == "parquet" else FROM_JSON
    rows = [row, {**row, "id": "vid0_1"}, {**row, "id": "@gone_0", "video_path": "@gone.mp4", "duration_group": 60}]
    rows += [{**row, "id": "x", "correct_choice": 4}, {**row, "id": "y", "correct_choice": None}]
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "validation-00000-of-00001.parquet")
    else:
        (tmp_path / "lvb_val.json").write_text(json.dumps(rows))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "vid0.mp4").touch()
    benchmark = made(root=str(tmp_path))
    assert [(video.id, len(video.items)) for video in benchmark] == [("vid0.mp4", 2)]
    assert benchmark.absent.videos == {"@gone.mp4": 1}
    assert "correct_choice=4" in benchmark.absent.rows["row 3"] and "test split" in benchmark.absent.rows["row 4"]
    assert len(made(root=str(tmp_path), only={"duration_group": 60})) == 0


def test_times_of_frames() -> None:
    assert frame_seconds(32.0, 16) == [2.0 * i for i in range(16)]
    assert frame_seconds(4.2, 16) == [0.0, 1.0, 2.0, 3.0]
    assert frame_seconds(16.0, 16) == [float(i) for i in range(16)]


def test_between_frames() -> None:
    seconds = [0.0, 1.0, 2.0, 3.0]
    lines = [subtitle["line"] for subtitle in SUBTITLES]
    expected = ["#", "#", "#", lines[0], "#", lines[1]]
    assert between_frames(SUBTITLES, seconds, 10.0, 4.2, "#", "|") == "|".join(expected)
    other = [{"timestamp": [10.0, None], "text": "to the end, less the start"}, {"timestamp": [0.5, 11.5], "text": "x"}]
    # the first lasts from 0 to 4.2 - 10, middle -2.9: its widened span holds no frame; the second has its middle at -4
    assert between_frames(other, seconds, 10.0, 4.2, "#", "|") == "x|#|#|#|#"
    whole = [{"timestamp": [10.5, 11], "text": "an end without decimals is the video's, and lies before the start"}]
    assert between_frames(whole, seconds, 10.0, 4.2, "#", "|") == "#|#|#|#"
    assert between_frames([], seconds, 0.0, 4.2, "", ".") == "..."


@pytest.mark.parametrize(
    ("option", "changes", "before"),
    [
        (
            "longvideobench_i",
            {},
            "<image>\n<image>\n<image>\nat 2, after that frame\n<image>\nshort, at 3.25, widened to 2.75..3.75\n",
        ),
        (
            "longvideobench",
            {"subtitles": "joined", "subtitle_frames": 64, "profile": "flexselect"},
            "...at 2, after that frame..short, at 3.25, widened to 2.75..3.75\n",
        ),
    ],
)
def test_prompts_with_subtitles(
    option: str, changes: dict[str, Any], before: str, tmp_path: Path, made: Callable[..., LongVideoBench]
) -> None:
    (tmp_path / "subtitles").mkdir()
    (tmp_path / "subtitles" / "vid0_en.json").write_text(json.dumps(SUBTITLES))
    benchmark = made(option, root=str(tmp_path), **changes)
    assert benchmark.question(ROW).prompt == before + PROMPT
    with pytest.raises(ValueError, match=r"gone\.json"):
        benchmark.question({**ROW, "subtitle_path": "gone.json"})
    with pytest.raises(ValueError, match=r"benchmark\.root"):
        made(option, **changes).question(ROW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "official"}, ["profile=official", "flexselect"]),
        ({"subtitles": "yes"}, ["subtitles=yes", "interleaved", "joined"]),
        ({"subtitle_frames": 0}, ["subtitle_frames"]),
    ],
)
def test_wrong_keys(changes: dict[str, Any], words: list[str], made: Callable[..., LongVideoBench]) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**changes)
    assert all(word in str(caught.value) for word in words)
