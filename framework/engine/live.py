"""Looking at the groups of a video: decode, encode and probe each group once, score it for every question that asks.

Pixels die here. Where it can be, ticks are encoded as they are decoded (`arrival.py`). What stays is, per group and
question, scores and signals; the embeddings of the tokens that some question may still keep are parked on the CPU, once
per video. Nothing of size O(video) lives on the GPU. Knows no concrete strategy.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from framework.core.types import Frames, Group, Layout, Question, ScoredGroup, Scores, Timeline, Tokens
from framework.core.view import GroupView, Probe, shown_to
from framework.engine.arrival import Arrival, reads
from framework.engine.ledger import Ledger
from framework.engine.session import Session, Setup, Wanted, check_scores, on_host
from framework.engine.shown import Shown
from framework.ops.certainty import measure
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline

SEEN_BETWEEN_TRIMS = 32  # groups are trimmed again when a 32nd more of them have been seen
WORTHWHILE = 0.5  # of parked tokens: they are copied again when no more than this share may still be wanted


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
        self.size = frame_size(self.setup, self.timeline)
        self._open = ExitStack()
        self._source: FrameSource | None = None
        self._reads = reads(self.setup, self.groups, self.size)
        self._arrival: Arrival | None = None
        if self._reads is not self.groups:
            self._arrival = self._open.enter_context(closing(Arrival(self.groups, self._reads, self._arrive)))
        self._shown: dict[int, Shown] = {}
        self._whole: set[int] = set()  # groups not parked yet
        self._trim_at = 0  # groups seen, by when they are trimmed
        self._damaged: dict[int, int] = {}  # group index -> damaged ticks of what was decoded

    def take_over(self, source: FrameSource) -> bool:
        """Takes the frames from a source that was begun ahead, and closes it in the end.

        Returns False, and leaves it alone, where it does not give just what this session would ask for.
        """
        if not source.serves(self.timeline, self.size, self._reads):
            return False
        self._source = self._open.enter_context(source)
        return True

    def close(self) -> None:
        """Ends the decoding thread and frees the spools."""
        self._open.close()
        self._arrival = None  # it knows this session: a cycle would hold the tokens

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

        The group is held whole, where it was encoded, until `release`.
        """
        shown = self._shown.get(group.index) or self._show(group, asking)
        scored = {q.id: s for alike in shown.alike(asking) for q, s in self._score(group, shown, alike)}
        self._shown[group.index] = shown
        self._whole.add(group.index)
        return [scored[q.id] for q in asking]

    def release(self, awaited: set[int], wanted: Wanted) -> None:
        """Releases the groups that no open question can come to any more.

        Those in `awaited` (group indices) stay whole, but leave the device. Of the others only the tokens that some
        question may still want stay. They are trimmed as bounds fall, but not after every group: that would ask the
        allocator for all groups again and again.
        """
        for index in self._whole - awaited:
            self._shown[index].frames = None
        trim = len(self._shown) >= self._trim_at or not awaited
        for index in self._whole & awaited if trim else self._whole:
            shown = self._shown[index]
            shown.tokens = None if shown.tokens is None else shown.tokens.to("cpu")
        if trim:
            self._trim_at = len(self._shown) + len(self._shown) // SEEN_BETWEEN_TRIMS + 1
            self._trim(
                {index for index in self._shown.keys() - awaited if self._shown[index].tokens is not None}, wanted
            )
            self._whole &= awaited

    def _trim(self, indices: set[int], wanted: Wanted) -> None:
        """Park groups, and those that were parked before again where much of them is not wanted any more."""
        for index, limits in (wanted() if indices else {}).items():
            shown = self._shown[index]
            if index in indices and shown.tokens is not None:
                many = sum(count for _, count in limits)
                if index in self._whole or many <= WORTHWHILE * len(shown.tokens):
                    shown.park(limits)

    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Makes sure that the tokens at `wanted` (group index -> i64 places) are there.

        Of a group that was scored without encoding, it encodes the ticks that hold a wanted token.
        """
        unseen = {index: places for index, places in wanted.items() if self._shown[index].tokens is None}
        if unseen:
            self._encode_places(unseen)

    def held(self, group: Group, places: Tensor) -> tuple[Tokens, Tensor]:
        """Returns the tokens that are held of a visited group, and the rows (i64 [K]) of those at `places` among them.

        Raises RuntimeError where some are gone, for the allocator had said that fewer could be wanted.
        """
        shown = self._shown[group.index]
        assert shown.tokens is not None, "secure() comes first"
        return shown.tokens, shown.rows(group.index, places)

    def _show(self, group: Group, asking: Sequence[Question]) -> Shown:
        """Decode and encode a group as far as some strategy needs it; drop what a scorer refuses before the vision
        tower.
        """
        payers = [q.id for q in asking]
        shown = Shown(self.setup.backbone.layout(group.ticks, *self.size))
        if self.setup.needs.frames and self._arrival is None:
            shown.frames = self._decode(group, payers)
        if self.setup.scorer.before_tower:
            self._score_early(group, shown, payers)
        if self._arrival is not None:
            shown.tokens = self._arrival.tokens(group)
        elif shown.frames is not None:
            shown.tokens = self._encode(shown.frames, shown.layout, payers, shown.offered())
        if shown.tokens is not None:
            assert self._source is not None
            self._damaged[group.index] = self._source.damaged_ticks(group)
            shown.index = shown.offered().nonzero()[:, 0]
            shown.encoded = len(shown.index)
            if self.setup.scorer.before_probe and not shown.early:
                self._score_early(group, shown, payers)
        return shown

    def _score_early(self, group: Group, shown: Shown, payers: Sequence[str]) -> None:
        """Score a whole group for every question: before the vision tower, or between it and the language model."""
        views = [self.view(group, question, shown.layout, shown.frames, shown.tokens) for question in self.questions]
        with self.ledger.stage("score", payers, len(shown.layout), sum(map(self.setup.scorer.flops, views))):
            found = on_host([self._scores(view, shown) for view in views])
        shown.early = {question.id: scores for question, scores in zip(self.questions, found, strict=True)}

    def _score(self, group: Group, shown: Shown, asking: list[Question]) -> list[tuple[Question, ScoredGroup]]:
        """Probe the group with questions that see the same tokens, then score it for each of them."""
        payers = [q.id for q in asking]
        early = shown.early.get(asking[0].id)
        index, tokens = shown.kept(asking[0])
        probes: list[Probe | None] = [None] * len(asking)
        if self.setup.needs.probe:
            assert tokens is not None
            flops = self.setup.backbone.probe_flops(len(tokens), asking, self.setup.needs, tokens.seconds)
            with self.ledger.stage("probe", payers, len(tokens), flops):
                probes = [*self.setup.backbone.probe(tokens, asking, self.setup.needs)]
        layout = shown.layout if tokens is None else shown.layout[index]
        views = [
            self.view(group, question, layout, shown.frames, tokens, probe)
            for question, probe in zip(asking, probes, strict=True)
        ]
        flops = 0.0 if early is not None else sum(map(self.setup.scorer.flops, views))
        with self.ledger.stage("score", payers, len(layout), flops):
            if early is not None:
                found = [shown.early[question.id] for question in asking]
            else:
                seen = on_host([self._scores(view, shown) for view in views])
                found = [replace(scores, values=shown.spread(scores.values, index)) for scores in seen]
            measure([probe for probe in probes if probe is not None and probe.response_logits is not None])
            concluded = map(self.conclude, views, found, probes)
            return list(zip(asking, concluded, strict=True))

    def _scores(self, view: GroupView, shown: Shown) -> Scores:
        """What the scorer makes of a view; once per group where the question does not matter."""
        scorer = self.setup.scorer
        with shown_to(scorer):
            scores = shown.common or check_scores(scorer.score(view), view.layout, scorer)
        if scorer.blind:
            shown.common = scores
        return scores

    def _decode(self, group: Group, payers: Sequence[str], reads: Sequence[Group] | None = None) -> Frames:
        if self._source is None:
            source = FrameSource(self.timeline, self.setup.reader, self.size, reads or self._reads)
            self._source = self._open.enter_context(source)
            if self._arrival is not None:
                source.start(self.groups[0])  # groups are looked at between chunks: room for as much as they hold up
        with self.ledger.stage("decode", payers):
            frames = self._source.frames(group)
        self.frames_decoded = self._source.decoded
        return frames

    def _encode(self, frames: Frames, layout: Layout, payers: Sequence[str], keep: Tensor | None = None) -> Tokens:
        """The tokens of a group, or those at `keep` (bool [N])."""
        keep = None if keep is None or bool(keep.all()) else keep
        count = len(layout) if keep is None else int(keep.sum())
        flops = self.setup.backbone.encode_flops(count, self.tokens_per_tick)
        with self.ledger.stage("encode", payers, count, flops):
            tokens = self.setup.backbone.encode(frames, layout, keep)
        self.device = tokens.tick.device
        return tokens

    def _arrive(self, chunk: Group) -> Tokens:
        """The tokens of neighbouring ticks, which all questions will see."""
        payers = [q.id for q in self.questions]
        return self._encode(self._decode(chunk, payers), self.setup.backbone.layout(chunk.ticks, *self.size), payers)

    def _encode_places(self, wanted: dict[int, Tensor]) -> None:
        """Nothing was probed: decode and encode just the ticks that hold a wanted token."""
        payers = [q.id for q in self.questions]
        ticks = {g: self._shown[g].layout.tick[places].unique() for g, places in wanted.items()}
        parts = [Group(g, t) for g, t in ticks.items()]
        for part in parts:
            shown = self._shown[part.index]
            frames = self._decode(part, payers, parts)
            layout = self.setup.backbone.layout(part.ticks, *self.size)
            shown.tokens = self._encode(frames, layout, payers).to("cpu")
            assert self._source is not None
            self._damaged[part.index] = self._source.damaged_ticks(part)
            shown.index = torch.isin(shown.layout.tick, part.ticks).nonzero()[:, 0]
            shown.encoded = len(shown.index)


def frame_size(setup: Setup, timeline: Timeline) -> tuple[int, int]:
    """Returns the height and width in pixels of the frames that a session of this video looks at."""
    info = setup.reader.info(timeline.path)
    frames = len(timeline) * setup.backbone.frames_per_tick
    return setup.backbone.video_frame_size(info.height, info.width, frames)
