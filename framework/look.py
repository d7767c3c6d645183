"""Looking at the groups of one video: decode, encode and probe each group once, score it for every question that asks.

Pixels die here. What stays is, per group and question, scores and signals; the embeddings of the tokens that some
question may still keep are parked on the CPU, once per video. Nothing of size O(video) lives on the GPU. Knows no
concrete strategy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch
from torch import Tensor

from framework.interfaces import Backbone, RelevanceEstimator, TokenScorer
from framework.ledger import Ledger
from framework.signals import signals
from framework.types import Frames, Group, Layout, Question, ScoredGroup, Scores, Timeline, Tokens
from framework.video.readers.base import Reader
from framework.video.stream import FrameSource
from framework.view import GroupView, Needs, Probe


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


@dataclass
class Look:
    """One video while its questions are open. `close` ends decoding threads and spools."""

    backbone: Backbone
    scorer: TokenScorer
    relevance: RelevanceEstimator
    needs: Needs  # union over all strategies
    most: int  # tokens of one group that a question can keep at most
    timeline: Timeline
    groups: Sequence[Group]
    questions: Sequence[Question]
    reader: Reader
    ledger: Ledger

    def __post_init__(self) -> None:
        info = self.reader.info(self.timeline.path)
        self.size = self.backbone.frame_size(info.height, info.width)
        self.frames_decoded = 0
        self._open = ExitStack()
        self._source: FrameSource | None = None
        self._shown: dict[int, _Shown] = {}
        self._whole: set[int] = set()  # groups not parked yet
        self._priors: dict[str, Probe] = {}
        self._queries: dict[str, Tensor] = {}

    def close(self) -> None:
        """End the decoding thread and free the spool."""
        self._open.close()

    @property
    def tokens_per_tick(self) -> int:
        """Visual tokens that one tick makes."""
        return len(self.backbone.layout(torch.zeros(1, dtype=torch.long), *self.size))

    def encoded(self, group: Group) -> int:
        """How many tokens of a visited group went through the vision tower."""
        return self._shown[group.index].encoded

    def at(self, group: Group, asking: Sequence[Question]) -> list[ScoredGroup]:
        """Show `group` to the questions `asking`. It is held whole until `release`."""
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
        """Of the groups looked at, keep whole only those that an open question may still come to (group indices)."""
        for index in self._whole - awaited:
            self._park(self._shown[index])
        self._whole &= awaited

    def secure(self, wanted: dict[int, Tensor]) -> None:
        """Make sure that the tokens at `wanted` (group index -> i64 places) are there; encode what nobody looked at."""
        unseen = {index: places for index, places in wanted.items() if self._shown[index].tokens is None}
        if unseen:
            self._encode_places(unseen)

    def tokens(self, group: Group, places: Tensor) -> Tokens:
        """The tokens at `places` (i64 [K], ascending) of a visited group, on the CPU."""
        shown = self._shown[group.index]
        assert shown.tokens is not None, "secure() comes first"
        return shown.tokens[torch.searchsorted(shown.index, places)]

    def _show(self, group: Group, asking: Sequence[Question]) -> _Shown:
        """Decode and encode a group as far as some strategy needs it; drop what a scorer refuses before the vision
        tower.
        """
        payers = [q.id for q in asking]
        layout = self.backbone.layout(group.ticks, *self.size)
        shown = _Shown(layout, wanted=torch.zeros(len(layout), dtype=torch.bool))
        needs = self.scorer.needs
        if not self.needs.nothing and (self.needs.probe or self.needs.tokens or self.needs.pixels):
            shown.frames = self._decode(group, payers)
        if needs.nothing or needs == Needs(pixels=True):
            with self.ledger.stage("score", payers, len(layout)):
                for question in self.questions:
                    view = self._view(group, question, layout, shown.frames)
                    shown.early[question.id] = _checked(self.scorer.score(view), layout, self.scorer)
        if shown.frames is not None:
            keep = torch.ones(len(layout), dtype=torch.bool)
            if shown.early:
                keep = torch.stack([s.values.cpu() > -math.inf for s in shown.early.values()]).any(0)
            with self.ledger.stage("encode", payers, int(keep.sum()), self.backbone.flops("encode", int(keep.sum()))):
                shown.tokens = self.backbone.encode(shown.frames, layout, None if bool(keep.all()) else keep)
            shown.index = keep.nonzero()[:, 0]
            shown.encoded = len(shown.index)
        return shown

    def _by_keep(self, shown: _Shown, asking: Sequence[Question]) -> list[list[Question]]:
        """The questions, those together that refuse the same tokens before the vision tower."""
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
        if self.needs.probe:
            assert tokens is not None
            with self.ledger.stage("probe", payers, len(tokens), self.backbone.flops("probe", len(tokens))):
                probes = [*self.backbone.probe(tokens, asking, self.needs)]
        layout = shown.layout if tokens is None else shown.layout[index]
        results = []
        with self.ledger.stage("score", payers, len(layout)):
            for question, probe in zip(asking, probes, strict=True):
                view = self._view(group, question, layout, shown.frames, tokens, probe)
                if question.id in shown.early:
                    scores = shown.early[question.id]
                    values = scores.values.cpu()
                else:
                    scores = _checked(self.scorer.score(view), layout, self.scorer)
                    values = torch.full((len(shown.layout),), -math.inf)
                    values[index] = scores.values.cpu()
                results.append((question, self._conclude(view, values, scores, probe)))
        return results

    def _conclude(self, view: GroupView, values: Tensor, scores: Scores, probe: Probe | None) -> ScoredGroup:
        probed = probe is not None and probe.response_logits is not None
        return ScoredGroup(
            group=view.group,
            scores=values,
            relevance=self.relevance.relevance(view),
            signals={**scores.signals, **(signals(probe) if probe is not None and probed else {})},
            answer=self.backbone.group_answer(probe, view.question) if probe is not None and probed else None,
            comparable=self.scorer.comparable,
        )

    def _view(
        self,
        group: Group,
        question: Question,
        layout: Layout,
        frames: Frames | None,
        tokens: Tokens | None = None,
        probe: Probe | None = None,
    ) -> GroupView:
        return GroupView(
            group=group,
            question=question,
            layout=layout,
            seconds=self.timeline.seconds[group.ticks],
            shown_frames=frames if self.needs.pixels else None,
            shown_tokens=tokens if self.needs.tokens else None,
            shown_probe=probe,
            shown_query=self._query(question) if self.needs.query else None,
            shown_prior=self._prior(question) if self.needs.prior else None,
        )

    def _query(self, question: Question) -> Tensor:
        if question.id not in self._queries:
            self._queries[question.id] = self.backbone.query(question)
        return self._queries[question.id]

    def _prior(self, question: Question) -> Probe:
        """What the model answers without any video, once per question."""
        if question.id not in self._priors:
            nothing = torch.zeros(0, dtype=torch.long)
            no_video = Tokens(torch.zeros(0, 0), nothing, nothing, nothing, torch.zeros(0, dtype=torch.float64))
            with self.ledger.stage("prior", [question.id]):
                self._priors[question.id] = self.backbone.probe(no_video, [question], Needs(logits=True))[0]
        return self._priors[question.id]

    def _decode(self, group: Group, payers: Sequence[str], groups: Sequence[Group] | None = None) -> Frames:
        if self._source is None:
            self._source = self._open.enter_context(
                FrameSource(self.timeline, self.reader, self.size, groups or self.groups)
            )
        with self.ledger.stage("decode", payers):
            frames = self._source.frames(group)
        self.frames_decoded = self._source.decoded
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
            layout = self.backbone.layout(part.ticks, *self.size)
            with self.ledger.stage("encode", payers, len(layout), self.backbone.flops("encode", len(layout))):
                shown.tokens = self.backbone.encode(frames, layout).to("cpu")
            shown.index = torch.isin(shown.layout.tick, part.ticks).nonzero()[:, 0]
            shown.encoded = len(shown.index)


def best(scores: Tensor, count: int) -> Tensor:
    """Ascending places of the `count` highest scores, f32 [N] -> i64 [<= count]; ties to the lower, -inf never."""
    order = scores.argsort(descending=True, stable=True)[:count]
    return order[scores[order] > -math.inf].sort().values


def _checked(scores: Scores, layout: Layout, scorer: TokenScorer) -> Scores:
    if len(scores.values) != len(layout):
        raise ValueError(
            f"{type(scorer).__name__} gave {len(scores.values)} scores for {len(layout)} tokens (key: scorer)"
        )
    return scores
