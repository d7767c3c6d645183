"""Encoding on arrival changes when things are done, and nothing else."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.outcome import Outcome
from framework.core.types import Group, Layout, Question, ScoredGroup, Tokens
from framework.core.view import Needs
from framework.engine import arrival, live
from framework.engine.arrival import Arrival, reads
from framework.engine.ledger import Ledger
from framework.engine.live import LiveSession
from framework.engine.pipeline import Pipeline
from framework.video.errors import VideoError
from framework.video.readers.pyav import PyAVReader

Build = Callable[..., Pipeline]
APART = arrival.apart


def made(group: Group, dtype: torch.dtype = torch.float32, width: int = 3) -> Tokens:
    """Two tokens per tick; every number says where it belongs."""
    tick = group.ticks.repeat_interleave(2)
    row = torch.arange(2).repeat(len(group))
    values = (10 * tick + row)[:, None] + torch.arange(width) / 8
    extra = {"extent": tick + 7, "deep": values.to(dtype)[:, None, :].repeat(1, 2, 1)}
    return Tokens(values.to(dtype), tick, row, 1 - row, tick / 2, extra)


def groups_of(*ticks: Sequence[int]) -> list[Group]:
    return [Group(index, torch.tensor(some)) for index, some in enumerate(ticks)]


def same(one: Tokens, other: Tokens) -> bool:
    names = ("embeddings", "tick", "row", "column", "seconds")
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    pairs += [(one.extra[name], other.extra[name]) for name in other.extra]
    return list(one.extra) == list(other.extra) and all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("ram_bytes", [2**20, 100, 0])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_groups_get_the_bits_that_were_made(dtype: torch.dtype, ram_bytes: int) -> None:
    """Fields of any width and type, of odd sizes in bytes; in memory, in both, in the file."""
    groups, chunks = groups_of([0, 3, 6], [1, 4], [2, 5]), groups_of([0, 1, 2], [3, 4, 5], [6])
    encoded: list[int] = []

    def encode(chunk: Group) -> Tokens:
        encoded.append(chunk.index)
        return made(chunk, dtype)

    with closing(Arrival(groups, chunks, encode, ram_bytes)) as arrival:
        for index, so_far in ((2, [0, 1]), (0, [0, 1, 2]), (1, [0, 1, 2])):
            assert same(arrival.tokens(groups[index]), made(groups[index], dtype))
            assert encoded == so_far  # no more than the group needs


def test_a_tick_of_several_groups_waits_for_the_last_one() -> None:
    groups = groups_of([0, 2], [1, 2])
    with closing(Arrival(groups, groups_of([0, 1, 2]), made)) as arrival:
        for group in groups:
            assert same(arrival.tokens(group), made(group))
        assert arrival._spool is not None and len(arrival._spool) == 0
        with pytest.raises(ValueError, match="group 0 was not announced, or was handed out already"):
            arrival.tokens(groups[0])


@dataclass(frozen=True)
class Spy(PyAVReader):
    """Notes what is decoded. The last picture comes once `go` is set; at `broken` there is an error."""

    threads: int = 1
    last: int = -1
    broken: int = -1
    go: threading.Event = field(default_factory=threading.Event)
    given: list[int] = field(default_factory=list)

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        for number, picture in super().decode(path, frames, damaged):
            if number == self.broken:
                raise VideoError(path, f"it breaks at {number}", "a film")
            if number == self.last:
                assert self.go.wait(60)
            self.given.append(number)
            yield number, picture


class Noting(LiveSession):
    """Notes what every group was to every question."""

    seen: list[ScoredGroup]

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        found = super().at(group, asking)
        self.seen += found
        return found


@pytest.fixture
def build(composed: Callable[..., Any]) -> Build:
    return lambda *overrides: build_pipeline(composed("preset=adapttoken", *overrides))


def looked(pipeline: Pipeline, path: str, asked: Sequence[Question]) -> tuple[list[Outcome], list[ScoredGroup], Spy]:
    """What comes of it, what each group was, and what was decoded."""
    spy, seen = Spy(), list[ScoredGroup]()

    def opened(*about: Any) -> Noting:
        session = Noting.open(*about)
        session.seen = seen
        return session

    outcomes = replace(pipeline, reader=spy, open_session=opened).answer(path, asked)
    return outcomes, seen, spy


def facts(outcomes: Sequence[Outcome]) -> str:
    found = []
    for one in outcomes:
        assert one.selection is not None
        tokens, trace = one.selection.tokens, one.trace
        places = [tokens.tick.tolist(), tokens.row.tolist(), tokens.column.tolist(), tokens.seconds.tolist()]
        groups = [(group.quota, group.kept) for group in trace.groups]
        rounded = [round(p, 5) for p in one.answer.probabilities]
        found.append([one.answer.text, rounded, places, groups, trace.frames_decoded, trace.tokens_seen])
    return json.dumps(found)


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tower of these tests counts as one with a device of its own."""
    monkeypatch.setattr(arrival, "apart", lambda backbone: True)


def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "reads", lambda setup, groups, size: groups)


@pytest.mark.parametrize("ram_bytes", [2**29, 0])
@pytest.mark.parametrize(
    "overrides",
    [(), ("splitter=braided", "splitter.strands=2", "backbone.group_ticks=8"), ("share=false",)],
    ids=lambda found: " ".join(found) or "interleaved",
)
def test_scores_selections_and_answers_are_those_of_the_plain_path(
    overrides: tuple[str, ...],
    ram_bytes: int,
    build: Build,
    needle_video: VideoItem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [item.question for item in needle_video.items[:2]]
    pipeline, encoded = build(*overrides), Counter[int]()
    stock = type(pipeline.backbone).encode

    def encode(self: Any, frames: Any, layout: Layout, keep: Tensor | None = None) -> Tokens:
        encoded.update(layout.tick.unique().tolist())
        return stock(self, frames, layout, keep)

    monkeypatch.setattr(type(pipeline.backbone), "encode", encode)
    monkeypatch.setattr(live, "Arrival", partial(Arrival, ram_bytes=ram_bytes))
    outcomes, seen, spy = looked(pipeline, needle_video.path, asked)
    times = 1 if pipeline.share else len(asked)
    assert encoded == dict.fromkeys(range(128), times)
    assert spy.given == list(range(256)) * times
    plainly(monkeypatch)
    expected, plain, _ = looked(pipeline, needle_video.path, asked)
    assert facts(outcomes) == facts(expected)
    for one, other in zip(seen, plain, strict=True):
        assert one.group.index == other.group.index
        torch.testing.assert_close(one.scores, other.scores, atol=1e-4, rtol=0)
        assert abs(one.relevance.value - other.relevance.value) < 1e-4


def test_the_first_ticks_are_encoded_before_the_last_is_decoded(
    build: Build, needle_video: VideoItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader gives its last picture only after a pass of the tower. Costs are booked pass by pass."""
    pipeline, spy = build(), Spy(last=255)
    stock = type(pipeline.backbone).encode

    def encode(self: Any, frames: Any, layout: Layout, keep: Tensor | None = None) -> Tokens:
        assert spy.go.is_set() or 255 not in spy.given
        spy.go.set()
        return stock(self, frames, layout, keep)

    monkeypatch.setattr(type(pipeline.backbone), "encode", encode)
    ledger, asked = Ledger(), [item.question for item in needle_video.items[:2]]
    replace(pipeline, reader=spy).answer(needle_video.path, asked, ledger=ledger)
    spent, groups = ledger.spent(), pipeline.splitter.split
    with closing(LiveSession.open(pipeline.setup, needle_video.path, asked, Ledger())) as session:
        most = max(map(len, groups(session.timeline)))
    chunks = -(-128 // -(-most // 4))
    assert spent["encode"].passes == spent["decode"].passes == chunks
    assert spent["encode"].tokens == 512
    assert spent["encode"].flops == pytest.approx(pipeline.backbone.encode_flops(512, 4))
    halves = [ledger.of(question.id)["encode"].flops for question in asked]
    assert halves == pytest.approx([spent["encode"].flops / 2] * 2)


@pytest.mark.parametrize("broken", [3, 200, 255])
def test_an_error_of_the_file_is_met_as_before(broken: int, build: Build, needle_video: VideoItem) -> None:
    pipeline = replace(build(), reader=Spy(broken=broken))
    for _ in range(2):
        with pytest.raises(VideoError, match=f"breaks at {broken}"):
            pipeline.answer(needle_video.path, [needle_video.items[0].question])
    assert not [thread for thread in threading.enumerate() if thread.name == "decode"]


def test_where_it_is_done(build: Build) -> None:
    """Chunks of a quarter of a group, in file order."""
    setup = build().setup
    chunks = reads(setup, groups_of(range(0, 16, 2), range(1, 16, 2)), (56, 56))
    assert [chunk.ticks.tolist() for chunk in chunks] == [[i, i + 1] for i in range(0, 16, 2)]
    odd = reads(setup, groups_of([0, 2, 4, 6, 8], [1, 3, 5, 7]), (56, 56))
    assert [chunk.ticks.tolist() for chunk in odd] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]


def test_where_it_is_not_done(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, size = build().setup, (56, 56)
    strided, stretches = groups_of([0, 2], [1, 3]), groups_of([0, 1], [2, 3])
    early = build("scorer=frame_difference").setup.scorer
    assert early.before_tower
    assert reads(setup, strided, size) is not strided
    assert reads(setup, stretches, size) is stretches
    for kept in (
        build("stopping=agreement").setup,
        replace(setup, needs=setup.needs | Needs(pixels=True)),
        replace(setup, needs=Needs(query=True)),
        replace(setup, scorer=early),
    ):
        assert reads(kept, strided, size) is strided
    stock = type(setup.backbone).layout

    def turned(self: Any, ticks: Tensor, height: int, width: int) -> Layout:
        found = stock(self, ticks, height, width)
        return found[torch.arange(len(found)).view(len(ticks), -1).T.flatten()]

    monkeypatch.setattr(type(setup.backbone), "layout", turned)
    assert reads(setup, strided, size) is strided


def test_where_decoder_and_tower_share_a_processor_there_is_nothing_to_overlap(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, strided = build().setup, groups_of([0, 2], [1, 3])
    monkeypatch.setattr(arrival, "apart", APART)
    assert reads(setup, strided, (56, 56)) is strided
    monkeypatch.setattr(type(setup.backbone), "home", torch.device("cuda"))
    assert reads(setup, strided, (56, 56)) is not strided
