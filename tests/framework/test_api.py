"""The public names: loaded lazily, the same as inside, and the page about them runs as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import framework
from framework.benchmarks.base import VideoItem
from framework.config.compose import compose_root
from framework.config.parts import build_pipeline
from framework.core.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_every_public_name_is_there() -> None:
    assert set(framework.__all__) <= set(dir(framework))
    for name in framework.__all__:
        assert getattr(framework, name) is not None, name
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", framework.__version__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = framework.nothing  # type: ignore[attr-defined]


def test_load_is_the_command_lines_pipeline() -> None:
    pipeline = framework.load("adapttoken_agreement", budget=16, allocator__temperature=0.3)
    same = build_pipeline(compose_root(["preset=adapttoken_agreement", "budget=16", "allocator.temperature=0.3"]))
    assert pipeline == same and pipeline.budget == 16


def test_ask_one_and_several(needle_video: VideoItem) -> None:
    first, second = (item.question for item in needle_video.items[:2])
    asked = {question.bare: question.options for question in (first, second)}
    together = framework.ask(needle_video.path, asked)
    alone = framework.ask(needle_video.path, first.bare, first.options)
    assert [outcome.question.bare for outcome in together] == [first.bare, second.bare]
    assert alone.answer.choice == together[0].answer.choice == 0 or alone.answer.choice is not None
    assert alone.answer.probabilities == pytest.approx(together[0].answer.probabilities, abs=1e-5)
    assert framework.ask(needle_video.path, first.bare, preset="uniform").answer.choice is None  # open


def test_a_name_is_a_name(needle_video: VideoItem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a home folder nor an address."""
    monkeypatch.chdir(tmp_path)
    question = needle_video.items[0].question
    told = []
    for name in ("plain.mp4", "~take2.mp4", "12:30 talk.mp4"):
        shutil.copy(needle_video.path, name)
        told.append(framework.ask(name, question.bare, question.options, preset="uniform").answer.probabilities)
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nowhere.mp4", "what ?"), "video: there is no file 'nowhere.mp4'"),
        ((__file__, {}), "question: got no question"),
        ((__file__, {"a ?": ("x", "y")}, ("x", "y")), "options: several questions have options of their own"),
    ],
)
def test_bad_input_is_refused(given: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        framework.ask(*given)
    with pytest.raises(UsageError, match="budgt: there is no such key"):
        framework.load(budgt=3)


def test_the_page_runs(needle_video: VideoItem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(needle_video.path, tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["outcome"].answer.text and len(names["outcomes"]) == 2
