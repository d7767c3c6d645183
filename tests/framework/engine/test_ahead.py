"""A head start changes no answer, belongs to one video, is bounded, and ends when nobody wants it."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from torch import Tensor

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.outcome import Outcome
from framework.core.types import Question
from framework.engine.ahead import Ahead
from framework.engine.ledger import Ledger
from framework.engine.pipeline import Pipeline
from framework.engine.session import Session, Setup
from framework.video.errors import VideoError
from framework.video.info import VideoInfo
from framework.video.readers.pyav import PyAVReader


@dataclass(frozen=True)
class Spy(PyAVReader):
    """Tells which pictures of which file came, and which files were opened ahead, once `held` was set."""

    threads: int = 1
    given: dict[str, list[int]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    def info(self, path: str) -> VideoInfo:
        if threading.current_thread().name == "ahead":
            if Path(path).name not in self.opened:
                self.opened.append(Path(path).name)
            assert self.held.wait(60)
        return super().info(path)

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        for number, picture in super().decode(path, frames, damaged):
            self.given.setdefault(Path(path).name, []).append(number)
            yield number, picture


@pytest.fixture
def films(needle_video: VideoItem, tmp_path: Path) -> list[str]:
    """The same film under three names."""
    paths = [str(tmp_path / f"{name}.mp4") for name in "abc"]
    for path in paths:
        shutil.copy(needle_video.path, path)
    return paths


@pytest.fixture
def spied(composed: Callable[..., object]) -> Callable[..., tuple[Pipeline, Spy]]:
    def make(*overrides: str) -> tuple[Pipeline, Spy]:
        spy = Spy()
        spy.held.set()
        return replace(build_pipeline(composed(*overrides)), reader=spy), spy  # type: ignore[arg-type]

    return make


def facts(outcomes: Sequence[Outcome]) -> str:
    """All that must not change, as text."""
    found = []
    for one in outcomes:
        groups = [(g.quota, g.kept, g.relevance) for g in one.trace.groups]
        kept = [] if one.selection is None else one.selection.tokens.tick.tolist()
        found.append([one.answer.text, one.answer.probabilities, groups, kept, one.trace.frames_decoded])
    return json.dumps(found)


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("ahead", "decode")]


@pytest.mark.parametrize("preset", ["adapttoken", "adapttoken_lite", "uniform"])
def test_answers_are_those_without_a_head_start(
    preset: str, spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    """Each picture is decoded once, and so are those of a film that was begun ahead."""
    plain, spy = spied(f"preset={preset}")
    asked = [item.question for item in needle_video.items[:2]]
    expected = [facts(plain.answer(path, asked)) for path in films]
    before = dict(spy.given)
    spy.given.clear()
    with closing(Ahead(plain)) as ahead:
        for path, following in zip(films, [*films[1:], None], strict=True):
            if following is not None:
                ahead.announce(following)
            assert facts(ahead.pipeline.answer(path, asked)) == expected[films.index(path)]
    assert spy.opened == ["b.mp4", "c.mp4"]
    assert threads() == []
    if preset != "adapttoken_lite":  # it stops early, and how far decoding is ahead by then is a matter of time
        assert spy.given == before


def test_the_next_film_is_decoded_while_this_one_is_open(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    """Interleaved groups: the first one needs nearly all of the film, so that much is decoded before its turn."""
    pipeline, spy = spied("preset=adapttoken")
    asked = [needle_video.items[0].question]
    with closing(Ahead(pipeline)) as ahead:
        ahead.announce(films[1])
        with closing(ahead.pipeline.open_session(pipeline.setup, films[0], asked, Ledger())) as session:
            last = int(session.timeline.frames[session.groups[0].ticks].max())
            wait_until(lambda: last in spy.given.get("b.mp4", []))
        assert "a.mp4" not in spy.given  # nobody has asked for a group of it
        (outcome,) = ahead.pipeline.answer(films[1], asked)
        assert outcome.trace.frames_decoded == 256 == len(spy.given["b.mp4"])


def test_nothing_is_decoded_where_no_frames_come_first(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    pipeline, spy = spied("preset=uniform")
    with closing(Ahead(pipeline)) as ahead:
        ahead.announce(films[1])
        ahead.pipeline.answer(films[0], [needle_video.items[0].question])
        wait_until(lambda: threads() == [])
    assert spy.opened == ["b.mp4"] and list(spy.given) == ["a.mp4"]


def test_an_error_belongs_to_its_own_film(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    pipeline, spy = spied("preset=adapttoken")
    asked = [needle_video.items[0].question]
    Path(films[1]).write_bytes(b"no film")
    with closing(Ahead(pipeline)) as ahead:
        ahead.announce(films[1])
        first = facts(ahead.pipeline.answer(films[0], asked))
        ahead.announce(films[2])
        with pytest.raises(VideoError, match=r"b\.mp4"):
            ahead.pipeline.answer(films[1], asked)
        wait_until(lambda: bool(spy.given.get("c.mp4")))  # the third one was begun all the same
        assert facts(ahead.pipeline.answer(films[2], asked)) == first
    assert threads() == []


def test_a_film_that_is_opened_again_leaves_the_next_one_alone(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    """As it is where questions are tried one by one, or do not share passes."""
    pipeline, spy = spied("preset=adapttoken")
    alone = replace(pipeline, share=False)
    asked = [item.question for item in needle_video.items[:2]]
    with closing(Ahead(alone)) as ahead:
        ahead.announce(films[1])
        ahead.pipeline.answer(films[0], asked)
        assert len(spy.given["a.mp4"]) == 2 * 256
        ahead.pipeline.answer(films[1], asked[:1])
    assert spy.opened == ["b.mp4"] and len(spy.given["b.mp4"]) == 256


def test_a_film_that_nobody_asks_for_is_dropped(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    pipeline, spy = spied("preset=adapttoken")
    asked = [needle_video.items[0].question]
    with closing(Ahead(pipeline)) as ahead:
        ahead.announce(films[1])
        ahead.pipeline.answer(films[0], asked)
        ahead.announce(films[0])
        ahead.pipeline.answer(films[2], asked)
        wait_until(lambda: spy.opened == ["b.mp4", "a.mp4"])
        wait_until(lambda: "ahead" not in threads())  # nobody waits for one that is still being opened
    assert threads() == []


def test_closing_does_not_wait_for_a_long_file_to_open(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    """Ctrl-C ends a run at once. What was being opened decodes nothing afterwards."""
    pipeline, spy = spied("preset=adapttoken")
    spy.held.clear()
    with closing(Ahead(pipeline)) as ahead:
        ahead.announce(films[1])
        ahead.pipeline.answer(films[0], [needle_video.items[0].question])
    assert threads() == ["ahead"]
    spy.held.set()
    wait_until(lambda: threads() == [])
    assert "b.mp4" not in spy.given


def test_what_is_no_video_takes_nothing_over(
    spied: Callable[..., tuple[Pipeline, Spy]], films: list[str], needle_video: VideoItem
) -> None:
    pipeline, spy = spied("preset=adapttoken")

    def refuse(setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Session:
        raise LookupError(path)

    with closing(Ahead(replace(pipeline, open_session=refuse))) as ahead:
        for path in films[:2]:
            ahead.announce(films[1])
            with pytest.raises(LookupError):
                ahead.pipeline.answer(path, [needle_video.items[0].question])
        wait_until(lambda: bool(spy.given.get("b.mp4")))
        wait_until(lambda: "ahead" not in threads())  # nobody waits for one that is still being opened
    assert threads() == []
