"""Video-MME: prompts of every profile, subtitles, files as published."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig

from framework.benchmarks.base import Benchmark, VideoItem
from framework.benchmarks.subtitles import parse_srt, subtitles_at_frames
from framework.benchmarks.videomme import VideoMME
from framework.config.build import ConfigError, build
from framework.core.errors import UsageError
from framework.core.types import Answer

ROW: dict[str, Any] = {
    "video_id": "001",
    "duration": "long",
    "domain": "Knowledge",
    "sub_category": "Geography",
    "videoID": "aaaaaaaaaaa",
    "question_id": "001-1",
    "task_type": "Counting Problem",
    "question": "How many {red} kites fly?",
    "options": ["A. One.", "B. Two.", "C. A. Three.", "D. Four."],
    "answer": "C",
}
ASKED = "How many {red} kites fly?\nA. One.\nB. Two.\nC. A. Three.\nD. Four.\n"
LETTER = "Respond with only the letter (A, B, C, or D) of the correct option.\n"
TASK = (
    "Select the best answer to the following multiple-choice question based on the video and the subtitles. " + LETTER
)
DIRECTLY = "\nAnswer with the option's letter from the given choices directly."
WHITE = '<font color="white" size=".72c">{}</font>'


@pytest.fixture
def made(composed: Callable[..., DictConfig]) -> Callable[..., VideoMME]:
    def make(option: str = "videomme", **changes: Any) -> VideoMME:
        return build({**composed(f"benchmark={option}").benchmark, **changes}, VideoMME, "benchmark")

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos of three questions, one of them missing, a row without an answer and a repeated one."""
    rows = [{**ROW, "question_id": f"001-{i}", "answer": "ABC"[i]} for i in range(3)]
    rows += [{**ROW, "videoID": "b", "question_id": f"002-{i}", "duration": "short"} for i in range(3)]
    rows += [{**ROW, "question_id": "003-1", "answer": None}, rows[0]]
    rows += [{**ROW, "videoID": "c", "question_id": "004-1", "duration": "short"}]
    (tmp_path / "videomme").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "videomme" / "test-00000-of-00001.parquet")
    (tmp_path / "data").mkdir()
    for name in ("aaaaaaaaaaa.mp4", "c.mkv"):
        (tmp_path / "data" / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("profile", "prompt", "tokens"),
    [
        ("lmms_eval_0_7_3", TASK + ASKED + DIRECTLY, 16),
        ("llava_vid", TASK + ASKED + "The best answer is:", 16),
        ("gpt4v", TASK + ASKED + "Answer the question with A, B, C, or D.", 16),
        (
            "qwen3_vl",
            "Question: How many {red} kites fly?\nOptions:\nA. One.\nB. Two.\nC. A. Three.\nD. Four.\n"
            "Answer with the option letter only.",
            16,
        ),
        ("official", TASK.replace(" and the subtitles", "") + ASKED + "The best answer is:", 16),
        ("flexselect", TASK + ASKED + DIRECTLY, 1),
    ],
)
def test_profiles(profile: str, prompt: str, tokens: int, made: Callable[..., VideoMME]) -> None:
    (question,) = made(profile=profile).questions([ROW])
    assert question.prompt == prompt
    assert (question.bare, question.cue, question.max_new_tokens) == ("How many {red} kites fly?", "", tokens)
    assert question.options == ("One.", "Two.", "A. Three.", "Four.") and question.id == "001-1"


def test_who_reads_the_letter(made: Callable[..., VideoMME]) -> None:
    response = "<think>B</think>The correct option is C because A is wrong"
    read = {
        (profile, extraction): made(profile=profile, extraction=extraction).result(response, ROW).parsed
        for profile in ("lmms_eval_0_7_3", "flexselect")
        for extraction in (None, "current", "legacy")
    }
    assert read == {  # legacy deletes no "The correct option is", for want of a comma; its first A to D is still C
        ("lmms_eval_0_7_3", None): "A",
        ("lmms_eval_0_7_3", "current"): "A",
        ("lmms_eval_0_7_3", "legacy"): "C",
        ("flexselect", None): "C",
        ("flexselect", "current"): "A",
        ("flexselect", "legacy"): "C",
    }


def test_percent_and_strata(made: Callable[..., VideoMME]) -> None:
    benchmark = made()
    results = [benchmark.result(text, ROW) for text in ("C", "(C)", "no idea")]
    assert [(result.correct, result.parsed) for result in results] == [(1.0, "C"), (1.0, "C"), (0.0, None)]
    assert benchmark.aggregate(results) == {"videomme_perception_score": 100 * 2 / 3}
    assert benchmark.aggregate([]) == {}
    assert results[0].strata == {
        "duration": ("long",),
        "domain": ("Knowledge",),
        "sub_category": ("Geography",),
        "task_type": ("Counting Problem",),
    }


def test_random_fallback_is_drawn_once_per_question(made: Callable[..., VideoMME]) -> None:
    rows = [{**ROW, "question_id": str(i)} for i in range(60)]
    first, again, other = made(random_fallback=1), made(random_fallback=1), made(random_fallback=2)
    drawn = [first.result("?", row).parsed for row in rows]
    assert drawn == [again.result("no idea", row).parsed for row in reversed(rows)][::-1]
    assert drawn != [other.result("?", row).parsed for row in rows]
    assert set(drawn) == set("ABCD")
    assert first.result("B", ROW).parsed == "B"


def test_files(root: Path, made: Callable[..., VideoMME]) -> None:
    benchmark = made(root=str(root))
    videos = list(benchmark)
    assert [(video.id, Path(video.path).name, len(video.items)) for video in videos] == [
        ("aaaaaaaaaaa.mp4", "aaaaaaaaaaa.mp4", 3),
        ("c.mp4", "c.mkv", 1),
    ]
    assert [item.right for item in videos[0].items] == ["A", "B", "C"]
    assert benchmark.absent.videos == {"b.mp4": 3}
    assert set(benchmark.absent.rows) == {"row 6", "row 7"}
    assert "answer=None" in benchmark.absent.rows["row 6"] and "001-0" in benchmark.absent.rows["row 7"]
    item = videos[0].items[1]
    assert benchmark.score(item, Answer("B. Two.")).correct == 1.0


def test_parts(root: Path, made: Callable[..., VideoMME]) -> None:
    def ids(**changes: Any) -> list[str]:
        return [video.id for video in made(root=str(root), **changes)]

    assert ids(limit=1) == ["aaaaaaaaaaa.mp4"]
    assert ids(only={"duration": "short"}) == ["c.mp4"]
    with pytest.raises(UsageError, match="length"):
        ids(only={"length": "short"})


def test_flat_folder(root: Path, tmp_path: Path, made: Callable[..., VideoMME]) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(root / "videomme" / "test-00000-of-00001.parquet", flat)
    (flat / "b.MP4").touch()
    assert [Path(video.path).name for video in made(root=str(flat))] == ["b.MP4"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "gpt5"}, ["profile=gpt5", "lmms_eval_0_7_3", "qwen3_vl"]),
        ({"extraction": "new"}, ["extraction=new", "current", "legacy"]),
        ({"subtitle_order": "random"}, ["subtitle_order=random", "upstream", "time"]),
        ({"max_new_tokens": 0}, ["max_new_tokens", "0"]),
        ({"subtitle_frames": 0}, ["subtitle_frames", "0"]),
        ({"limit": 0}, ["limit", "0"]),
    ],
)
def test_wrong_keys(changes: dict[str, Any], words: list[str], made: Callable[..., VideoMME]) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**changes)
    assert all(word in str(caught.value) for word in words)


def test_wrong_roots(tmp_path: Path, made: Callable[..., Benchmark]) -> None:
    for root, words in ((None, "benchmark.root=FOLDER"), (tmp_path / "no", "no such folder"), (tmp_path, "videomme/")):
        with pytest.raises(UsageError, match=words):
            len(made(root=None if root is None else str(root)))


def test_subtitles_of_a_file() -> None:
    blocks = "1\n00:00:01,000 --> 00:00:02,500\none\ntwo\n\n2\n01:00:00,250 --> 01:00:01,000\nthree\n\n\n4\n\n"
    assert parse_srt(blocks) == [(1.0, 2.5, "one two"), (3600.25, 3601.0, "three")]
    again = "1\n00:00:01,000 --> 00:00:02,000\nold\n\n2\n00:00:01,000 --> 00:00:02,000\nnew"
    assert parse_srt(again) == [(1.0, 2.0, "new")]


def test_subtitles_at_frames() -> None:
    subtitles = [(i * 1.0, i + 1.0, WHITE.format(i) + WHITE.format("no")) for i in range(10)]
    # 100 frames at 10 per second; 0, 33, 66 and 99 are looked at
    assert subtitles_at_frames(subtitles, 10.0, 100, 4, chronological=True) == "0\n3\n6\n9"
    plain = [(0.0, 10.0, "not white"), (0.0, 0.05, WHITE.format("ends within frame 0"))]
    assert subtitles_at_frames(plain, 10.0, 100, 4, chronological=True) == ""
    # a set of the numbers 8 and 1 has eight places and holds 8 in the first
    two = [(0.0, 0.0, "")] * 8
    two[1] = (9.0, 10.0, WHITE.format("late"))
    two.append((0.0, 1.0, WHITE.format("early")))
    assert subtitles_at_frames(two, 10.0, 100, 4, chronological=False) == "early\nlate"
    assert subtitles_at_frames(two, 10.0, 100, 4, chronological=True) == "late\nearly"


@pytest.mark.parametrize(
    ("profile", "asked"),
    [
        ("lmms_eval_0_7_3", TASK + ASKED + "The best answer is:"),
        (
            "qwen3_vl",
            "Question: How many {red} kites fly?\nOptions:\nA. One.\nB. Two.\nC. A. Three.\nD. Four.\n"
            "Answer with the option letter only.",
        ),
    ],
)
def test_prompt_with_subtitles(
    profile: str, asked: str, tmp_path: Path, needle_video: VideoItem, made: Callable[..., VideoMME]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "subtitle").mkdir()
    shutil.copy(needle_video.path, tmp_path / "data" / "aaaaaaaaaaa.mp4")  # 256 frames at 2 per second
    blocks = ["1\n00:00:00,000 --> 00:00:02,000\n" + WHITE.format("first")]
    blocks += ["2\n00:02:07,500 --> 00:02:08,000\n" + WHITE.format("last")]
    blocks += ["3\n00:00:02,500 --> 00:00:03,500\n" + WHITE.format("between 32 frames, seen by 768")]
    (tmp_path / "subtitle" / "aaaaaaaaaaa.srt").write_text("\n\n".join(blocks))
    benchmark = made("videomme_w_subtitle", root=str(tmp_path), profile=profile)
    opening = "This video's subtitles are listed below: \n"
    seen = "first\nlast\n" if profile == "lmms_eval_0_7_3" else "first\nlast\nbetween 32 frames, seen by 768\n"
    assert benchmark.question(ROW).prompt == opening + seen + asked
    assert benchmark.question({**ROW, "videoID": "other"}).prompt == opening + "No subtitles available\n" + asked
    assert made("videomme_w_subtitle", profile=profile).questions([ROW])[0].prompt == (
        opening + "No subtitles available\n" + asked
    )
