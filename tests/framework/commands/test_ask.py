"""`sieve ask` as people type it: several questions in one pass, what ran, and when the toy model says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framework.benchmarks.base import VideoItem
from tests.fixtures.command_line import Ran, sieve

STAGES = ("encode", "probe")
ABOUT = {"video", "format", "preset", "id", "versions", "backbone", "note"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ask(video: str, *words: str, folder: str = "here") -> tuple[Ran, dict[str, Any]]:
    ran = sieve("ask", f"video={video}", "preset=adapttoken", "picture=false", *words, f"hydra.run.dir={folder}")
    assert ran.status == 0, ran.err
    return ran, json.loads((Path(folder) / "answer.json").read_text(encoding="utf-8"))


def test_questions_asked_together_share_their_passes_and_change_no_answer(needle_video: VideoItem) -> None:
    items = needle_video.items[:3]
    rows = [{"question": item.question.bare, "options": list(item.question.options)} for item in items]
    Path("mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ran, together = ask(needle_video.path, "questions=mine.jsonl", folder="together")
    alone = []
    for item in items:
        words = (f"question={item.question.bare}", f"options=[{','.join(item.question.options)}]")
        alone.append(ask(needle_video.path, *words, folder="alone")[1])
    assert together["format"] == 2 and [one["format"] for one in alone] == [1, 1, 1]
    assert [one["id"] for one in together["answers"]] == ["1", "2", "3"]
    groups = alone[0]["groups"]["total"]
    for name in STAGES:
        stage = together["together"]["stages"][name]
        assert stage["passes"] == groups and stage["passes_alone"] == 3 * groups
        assert stage["tokens"] == 512 and stage["tokens_alone"] == sum(one["stages"][name]["tokens"] for one in alone)
    everything = sum(cost["passes"] for one in alone for cost in one["stages"].values())
    assert together["together"]["passes_alone"] == everything > together["together"]["passes"]
    for one, single in zip(together["answers"], alone, strict=True):
        assert one["answer"]["choice"] == single["answer"]["choice"] and one["selection"] == single["selection"]
        assert one["answer"]["probabilities"] == pytest.approx(single["answer"]["probabilities"], abs=1e-4)
        assert one.keys() - {"id"} == single.keys() - ABOUT
    for number, item in enumerate(items, 1):
        assert f"question {number} of 3\n{item.question.bare}" in ran.out
    assert f"one by one they take {everything} passes" in ran.out


def test_questions_typed_again_and_again_have_a_picture_each(needle_video: VideoItem) -> None:
    words = ("question=what color is the star ?", "question=What's [this], red?", "picture=svg")
    ran, data = ask(needle_video.path, *words)
    assert [one["question"] for one in data["answers"]] == ["what color is the star ?", "What's [this], red?"]
    pictures = sorted(path.name for path in Path("here").glob("answer*.svg"))
    assert pictures == ["answer_1.svg", "answer_2.svg"] and all(name in ran.out for name in pictures)


def test_what_ran_is_told(needle_video: VideoItem) -> None:
    ran, data = ask(needle_video.path, "question=what color is the star ?")
    weights = Path(__file__).parents[3] / "framework" / "assets" / "lab" / "model.safetensors"
    backbone = data["backbone"]
    assert (backbone["name"], backbone["checkpoint"]) == ("lab", "asset:lab") and data["preset"] == "adapttoken"
    assert backbone["bytes"] == 4 * backbone["parameters"]  # float32, in the file behind a header
    assert 0 < weights.stat().st_size - backbone["bytes"] < 20_000
    assert ran.out.startswith("adapttoken · lab: asset:lab, 1.6 M parameters (6.3 MB)\n")
    assert data["note"] is None and "toy model" not in ran.out


def test_the_toy_model_says_so_on_a_film(data: Path) -> None:
    film = data / "video" / "h265_video.mp4"
    ran, answer = ask(str(film), "question=what color is the star ?")
    said = "toy model of made videos: for real films take backbone=qwen2_5_vl_7b (this video is none of its own)"
    assert answer["note"] == said and ran.out.splitlines()[1] == said
