"""Looking at the groups of a video: decode, encode and probe each group once, score it for every question that asks.

Pixels die here. What stays is, per group and question, scores and signals; the embeddings of the tokens that some
question may still keep are parked on the CPU, once per video. Nothing of size O(video) lives on the GPU. Knows no
concrete strategy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from framework.core.types import Frames, Group, Layout, Question, ScoredGroup, Scores, Tokens
from framework.core.view import GroupView, Probe, shown_to
from framework.engine.ledger import Ledger
from framework.engine.session import Session, Setup, best, check_scores
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline


@dataclass
class _Shown:
    """A group while it is being looked at, and what is left of it afterwards."""

    layout: Layout
    frames: Frames | None = None
    tokens: Tokens | None = None
    index: Tensor = field(
        default_factory=lambda: torch.zeros(0, dtype=torch.long)
    )  # i64, places of `tokens` in `layout`
    early: dict[str, Scores] = field(default_factory=dict)  # by question, for scorers that come before the vision tower
    wanted: Tensor = field(
        default_factory=lambda: torch.zeros(0, dtype=torch.bool)
    )  # bool [N], kept by some question so far
    encoded: int = 0  # tokens that went through the vision tower
    common: Scores | None = None  # of a scorer that is blind to the question


@dataclass
class LiveSession(Session):
    """Shows the groups of the video itself. `close` ends decoding threads and spools."""

    @classmethod
    def open(cls, setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Self:
        """Opens the video at `path` and cuts it into groups. No pixels are read yet.

        Raises VideoError for a bad file.
        """
        with ledger.stage("timeline", [question.id for question in questions]):
            backbone = setup.backbone
            timeline = make_timeline(path, setup.sampling, backbone.frames_per_tick, setup.reader, backbone.tick_time)
            groups = setup.splitter.split(timeline)
        return cls(setup, timeline, groups, questions, ledger)

    def __post_init__(self) -> None:
        info = self.setup.reader.info(self.timeline.path)
        frames = len(self.timeline) * self.setup.backbone.frames_per_tick
        self.size = self.setup.backbone.video_frame_size(info.height, info.width, frames)
        self.most = self.setup.most(self.tokens_per_tick)
        self._open = ExitStack()
        self._source: FrameSource | None = None
        self._shown: dict[int, _Shown] = {}
        self._whole: set[int] = set()  # groups not parked yet
        self._damaged: dict[int, int] = {}  # group index -> damaged ticks of what was decoded

    def close(self) -> None:
        """Ends the decoding thread and frees the spool."""
        self._open.close()

    @property
    def held_bytes(self) -> int:
        """Counts the bytes of tokens that are held: of groups that some question may still come to, and parked ones."""
        storages = {}
        for tokens in (shown.tokens for shown in self._shown.values() if shown.tokens is not None):
            for one in (*vars(tokens).values(), *tokens.extra.values()):
                if isinstance(one, Tensor):
                    storages[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        return sum(storages.values())

    @property
    def tick_layout(self) -> Layout:
        """Returns the grid of tokens that one tick makes."""
        return self.setup.backbone.layout(torch.zeros(1, dtype=torch.long), *self.size)

    def encoded(self, group: Group) -> int:
        """Counts the tokens of a visited group that went through the vision tower."""
        return self._shown[group.index].encoded

    def damaged_ticks(self, group: Group) -> int:
        """Counts the ticks of a visited group whose pictures were decoded from damaged data."""
        return self._damaged.get(group.index, 0)

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Shows `group` to the questions `asking` and returns what it is to each of them.

        The group is held whole until `release`.
        """
        shown = self._shown.get(group.index) or self._show(group, asking)
        scored = {q.id: s for alike in self._by_keep(shown, asking) for q, s in self._score(group, shown, alike)}
        for result in scored.values():
            shown.wanted[best(result.scores, self.most)] = True
        self._shown[group.index] = shown
        if shown.tokens is not None:
            shown.tokens = shown.tokens.to("cpu")
        self._whole.add(group.index)
        return [scored[q.id] for q in asking]

    def release(self, awaited: set[int]) -> None:
        """Releases the groups that no open question can come to any more.

        Those in `awaited` (group indices) stay whole. Of the others only the tokens that some question wants stay.
        """
        for index in self._whole - awaited:
            self._park(self._shown[index])
        self._whole &= awaited

    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Makes sure that the tokens at `wanted` (group index -> i64 places) are there.

        Of a group that was scored without encoding, it encodes the ticks that hold a wanted token.
        """
        unseen = {index: places for index, places in wanted.items() if self._shown[index].tokens is None}
        if unseen:
            self._encode_places(unseen)

    def tokens(self, group: Group, places: Tensor) -> Tokens:
        """Returns the tokens at `places` (i64 [K], ascending) of a visited group, on the CPU."""
        shown = self._shown[group.index]
        assert shown.tokens is not None, "secure() comes first"
        return shown.tokens[torch.searchsorted(shown.index, places)]

    def _show(self, group: Group, asking: Sequence[Question]) -> _Shown:
        """Decode and encode a group as far as some strategy needs it; drop what a scorer refuses before the vision
        tower.
        """
        payers = [q.id for q in asking]
        layout = self.setup.backbone.layout(group.ticks, *self.size)
        shown = _Shown(layout, wanted=torch.zeros(len(layout), dtype=torch.bool))
        if self.setup.needs.frames:
            shown.frames = self._decode(group, payers)
        if self.setup.scorer.before_tower:
            self._score_early(group, shown, payers)
        if shown.frames is not None:
            keep = torch.ones(len(layout), dtype=torch.bool)
            if shown.early:
                keep = torch.stack([s.values.cpu() > -math.inf for s in shown.early.values()]).any(0)
            count = int(keep.sum())
            with self.ledger.stage(
                "encode", payers, count, self.setup.backbone.encode_flops(count, self.tokens_per_tick)
            ):
                shown.tokens = self.setup.backbone.encode(shown.frames, layout, None if bool(keep.all()) else keep)
            shown.index = keep.nonzero()[:, 0]
            shown.encoded = len(shown.index)
            if self.setup.scorer.before_probe and not shown.early:
                self._score_early(group, shown, payers)
        return shown

    def _score_early(self, group: Group, shown: _Shown, payers: Sequence[str]) -> None:
        """Score a whole group for every question: before the vision tower, or between it and the language model."""
        views = [self.view(group, question, shown.layout, shown.frames, shown.tokens) for question in self.questions]
        with self.ledger.stage("score", payers, len(shown.layout), sum(map(self.setup.scorer.flops, views))):
            for question, view in zip(self.questions, views, strict=True):
                shown.early[question.id] = self._scores(view, shown)

    def _by_keep(self, shown: _Shown, asking: Sequence[Question]) -> list[list[Question]]:
        """The questions, those together that refuse the same tokens before the language model."""
        alike: dict[bytes, list[Question]] = {}
        for question in asking:
            early = shown.early.get(question.id)
            key = b"" if early is None else (early.values.cpu() > -math.inf).numpy().tobytes()
            alike.setdefault(key, []).append(question)
        return list(alike.values())

    def _score(self, group: Group, shown: _Shown, asking: list[Question]) -> list[tuple[Question, ScoredGroup]]:
        """Probe the group with questions that see the same tokens, then score it for each of them."""
        payers = [q.id for q in asking]
        index, tokens = shown.index, shown.tokens
        early = shown.early.get(asking[0].id)
        if tokens is not None and early is not None:
            mine = early.values.cpu()[index] > -math.inf
            index, tokens = index[mine], (tokens if bool(mine.all()) else tokens[mine.to(tokens.tick.device)])
        probes: list[Probe | None] = [None] * len(asking)
        if self.setup.needs.probe:
            assert tokens is not None
            flops = self.setup.backbone.probe_flops(len(tokens), asking, self.setup.needs, tokens.seconds)
            with self.ledger.stage("probe", payers, len(tokens), flops):
                probes = [*self.setup.backbone.probe(tokens, asking, self.setup.needs)]
        layout = shown.layout if tokens is None else shown.layout[index]
        results = []
        views = [
            self.view(group, question, layout, shown.frames, tokens, probe)
            for question, probe in zip(asking, probes, strict=True)
        ]
        flops = 0.0 if early is not None else sum(map(self.setup.scorer.flops, views))
        with self.ledger.stage("score", payers, len(layout), flops):
            for question, view, probe in zip(asking, views, probes, strict=True):
                if question.id in shown.early:
                    scores = shown.early[question.id]
                    values = scores.values.cpu()
                else:
                    scores = self._scores(view, shown)
                    values = torch.full((len(shown.layout),), -math.inf)
                    values[index] = scores.values.cpu()
                results.append((question, self.conclude(view, replace(scores, values=values), probe)))
        return results

    def _scores(self, view: GroupView, shown: _Shown) -> Scores:
        """What the scorer makes of a view; once per group where the question does not matter."""
        scorer = self.setup.scorer
        with shown_to(scorer):
            scores = shown.common or check_scores(scorer.score(view), view.layout, scorer)
        if scorer.blind:
            shown.common = scores
        return scores

    def _decode(self, group: Group, payers: Sequence[str], groups: Sequence[Group] | None = None) -> Frames:
        if self._source is None:
            self._source = self._open.enter_context(
                FrameSource(self.timeline, self.setup.reader, self.size, groups or self.groups)
            )
        with self.ledger.stage("decode", payers):
            frames = self._source.frames(group)
        self.frames_decoded = self._source.decoded
        self._damaged[group.index] = self._source.damaged_ticks(group)
        return frames

    def _park(self, shown: _Shown) -> None:
        """Nobody comes to this group any more: keep just the tokens that some question wants."""
        shown.frames = None
        if shown.tokens is not None:
            mine = shown.wanted[shown.index]
            shown.tokens = shown.tokens[mine]
            shown.index = shown.index[mine]

    def _encode_places(self, wanted: dict[int, Tensor]) -> None:
        """Nothing was probed: decode and encode just the ticks that hold a wanted token."""
        payers = [q.id for q in self.questions]
        ticks = {g: self._shown[g].layout.tick[places].unique() for g, places in wanted.items()}
        parts = [Group(g, t) for g, t in ticks.items()]
        for part in parts:
            shown = self._shown[part.index]
            frames = self._decode(part, payers, parts)
            layout = self.setup.backbone.layout(part.ticks, *self.size)
            with self.ledger.stage(
                "encode", payers, len(layout), self.setup.backbone.encode_flops(len(layout), self.tokens_per_tick)
            ):
                shown.tokens = self.setup.backbone.encode(frames, layout).to("cpu")
            shown.index = torch.isin(shown.layout.tick, part.ticks).nonzero()[:, 0]
            shown.encoded = len(shown.index)
