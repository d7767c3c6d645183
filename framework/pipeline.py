"""The whole story on one page: split, look group by group, stop, share the budget, refine, answer.

    timeline -> groups -> [next group -> decode, encode, probe -> score, relevance -> enough?]
             -> quotas -> best tokens of every group -> selection -> answer

Many questions about one video share decoding, encoding and the visual prefix of every group; sharing changes no answer. This
file knows no concrete strategy, no model and no benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from framework.interfaces import (
    Answerer,
    Backbone,
    BudgetAllocator,
    GroupScheduler,
    GroupSplitter,
    RelevanceEstimator,
    StoppingPolicy,
    Strategy,
    TokenRefiner,
    TokenScorer,
)
from framework.ledger import Ledger, peak_bytes
from framework.look import Look, best
from framework.types import (
    Answer,
    Candidates,
    Group,
    GroupTrace,
    Needs,
    Outcome,
    Question,
    ScoredGroup,
    Selection,
    Timeline,
    Tokens,
    Trace,
)
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from framework.video.timeline import timeline as make_timeline

Progress = Callable[[str, int, int], None]  # stage, done, of how many


@dataclass(frozen=True)
class Pipeline:
    """A backbone, eight strategies and a budget: `answer` does the rest."""

    splitter: GroupSplitter
    scheduler: GroupScheduler
    scorer: TokenScorer
    relevance: RelevanceEstimator
    allocator: BudgetAllocator
    refiner: TokenRefiner
    stopping: StoppingPolicy
    answerer: Answerer
    backbone: Backbone
    reader: Reader
    sampling: Sampling
    budget: int  # visual tokens kept in total
    share: bool  # whether questions about one video share the passes over it

    @property
    def needs(self) -> Needs:
        """What must be computed of a group: the union over all strategies."""
        strategies: list[Strategy] = [self.splitter, self.scheduler, self.scorer, self.relevance]
        strategies += [self.allocator, self.refiner, self.stopping, self.answerer]
        return reduce(Needs.__or__, (strategy.needs for strategy in strategies))

    def answer(self, path: str, questions: Sequence[Question], progress: Progress | None = None) -> list[Outcome]:
        """One outcome per question about the video at `path`, in the order asked. Raises VideoError for a bad file."""
        if len({q.id for q in questions}) < len(questions) or not questions:
            raise ValueError(f"questions need ids of their own and at least one is needed, got {[q.id for q in questions]}")
        if not self.share and len(questions) > 1:
            return [outcome for question in questions for outcome in self.answer(path, [question], progress)]
        ledger = Ledger()
        with ledger.stage("timeline", [q.id for q in questions]):
            timeline = make_timeline(path, self.sampling, self.backbone.frames_per_tick, self.reader)
            groups = self.splitter.split(timeline)
        most = math.ceil(self.refiner.overshoot * self.budget)
        look = Look(
            self.backbone, self.scorer, self.relevance, self.needs, most, timeline, groups, questions, self.reader, ledger
        )
        with look:
            visited = self._look(look, groups, questions, progress)
            quotas = {q.id: self._allocate(visited[q.id], q, ledger) for q in questions}
            kept = {q.id: self._best(visited[q.id], quotas[q.id]) for q in questions}
            union: dict[int, Tensor] = {}
            for places in kept.values():
                for index, at in places.items():
                    union[index] = torch.cat([union[index], at]).unique() if index in union else at
            tokens = look.fetch(union)
            return [
                self._conclude(q, look, visited[q.id], quotas[q.id], kept[q.id], {g: (union[g], t) for g, t in tokens.items()})
                for q in questions
            ]

    def _look(
        self, look: Look, groups: Sequence[Group], questions: Sequence[Question], progress: Progress | None
    ) -> dict[str, list[ScoredGroup]]:
        """Visit groups until every question has seen enough. Equal wishes share a pass."""
        visited: dict[str, list[ScoredGroup]] = {q.id: [] for q in questions}
        remaining = {q.id: list(groups) for q in questions}
        still_open = list(questions)
        while still_open:
            wishes: dict[int, list[Question]] = {}
            for question in still_open:
                wish = self.scheduler.next(visited[question.id], remaining[question.id])
                remaining[question.id] = [g for g in remaining[question.id] if g.index != wish.index]
                wishes.setdefault(wish.index, []).append(question)
            for index, asking in wishes.items():
                waiting = any(g.index == index for q in still_open for g in remaining[q.id])
                for question, scored in zip(asking, look.at(groups[index], asking, waiting), strict=True):
                    visited[question.id].append(scored)
            still_open = [
                q
                for q in still_open
                if remaining[q.id] and not self.stopping.enough(visited[q.id], len(remaining[q.id]))
            ]
            if progress is not None:
                progress("groups", max(len(v) for v in visited.values()), len(groups))
        return visited

    def _allocate(self, visited: Sequence[ScoredGroup], question: Question, ledger: Ledger) -> list[int]:
        """Quotas of the visited groups, checked: within 0..usable, sum within the budget."""
        with ledger.stage("allocate", [question.id]):
            quotas = self.allocator.allocate(visited, question, self.budget)
        if (
            len(quotas) != len(visited)
            or sum(quotas) > self.budget
            or any(not 0 <= k <= g.usable for k, g in zip(quotas, visited, strict=True))
        ):
            name = type(self.allocator).__name__
            raise ValueError(f"{name} shared {sum(quotas)} tokens as {quotas} of a budget of {self.budget} (key: allocator)")
        return quotas

    def _best(self, visited: Sequence[ScoredGroup], quotas: Sequence[int]) -> dict[int, Tensor]:
        """Group index -> places of its best overshoot x quota tokens, ascending."""
        counts = [math.ceil(self.refiner.overshoot * quota) for quota in quotas]
        return {s.group.index: best(s.scores, n) for s, n in zip(visited, counts, strict=True) if n}

    def _conclude(
        self,
        question: Question,
        look: Look,
        visited: list[ScoredGroup],
        quotas: list[int],
        kept: dict[int, Tensor],
        parked: dict[int, tuple[Tensor, Tokens]],
    ) -> Outcome:
        """Refine the candidates and answer from what is left."""
        selections: list[Selection] = []

        def final() -> Answer:
            if not selections:
                selections.append(self._select(question, look, visited, quotas, kept, parked))
            count = len(selections[0])
            with look.ledger.stage("answer", [question.id], count, self.backbone.flops("answer", count)):
                return self.backbone.answer(selections[0], question)

        answer = self.answerer.answer(visited, final)
        selection = selections[0] if selections else None
        return Outcome(question, answer, self._trace(question, look, visited, quotas, selection), selection)

    def _select(
        self,
        question: Question,
        look: Look,
        visited: list[ScoredGroup],
        quotas: list[int],
        kept: dict[int, Tensor],
        parked: dict[int, tuple[Tensor, Tokens]],
    ) -> Selection:
        with look.ledger.stage("refine", [question.id], sum(len(places) for places in kept.values())):
            share = {s.group.index: quota / self.budget for s, quota in zip(visited, quotas, strict=True)}
            scores = {s.group.index: s.scores for s in visited}
            parts, group, score, weight = [], [], [], []
            for index, places in kept.items():
                at, tokens = parked[index]
                parts.append(tokens[torch.searchsorted(at, places)])
                group.append(torch.full((len(places),), index))
                score.append(scores[index][places])
                weight.append(torch.full((len(places),), share[index]))
            tokens = Tokens.cat(parts)
            order = tokens.tick.argsort(stable=True)
            candidates = Candidates(
                tokens[order],
                torch.cat(group)[order],
                torch.cat(score)[order],
                torch.cat(weight)[order],
                _stride_seconds(look.timeline, [s.group for s in visited]),
            )
            return self.refiner.refine(candidates, question, self.budget)

    def _trace(
        self, question: Question, look: Look, visited: list[ScoredGroup], quotas: list[int], selection: Selection | None
    ) -> Trace:
        place = {s.group.index: i for i, s in enumerate(visited)}
        rows = []
        for group in look.groups:
            seconds = look.timeline.seconds[group.ticks]
            row = GroupTrace(group.index, (float(seconds[0]), float(seconds[-1])), None)
            if (i := place.get(group.index)) is not None:
                s = visited[i]
                row = GroupTrace(
                    group.index,
                    row.seconds,
                    i,
                    s.relevance.value,
                    s.relevance.raw,
                    s.relevance.unit,
                    s.signals,
                    s.answer.choice if s.answer else None,
                    quotas[i],
                    int((selection.group == group.index).sum()) if selection else 0,
                )
            rows.append(row)
        return Trace(
            groups=tuple(rows),
            stages=look.ledger.of(question.id),
            tokens_seen=sum(look.encoded(s.group) for s in visited),
            tokens_total=look.tokens_per_tick * len(look.timeline),
            tokens_kept=len(selection) if selection else 0,
            frames_decoded=look.frames_decoded,
            peak_bytes=peak_bytes(),
        )


def _stride_seconds(timeline: Timeline, groups: Sequence[Group]) -> float:
    """Typical distance in seconds between neighbouring ticks of one group (the G ticks of interleaved groups)."""
    steps = [timeline.seconds[g.ticks].diff() for g in groups if len(g) > 1]
    return float(torch.cat(steps).median()) if steps else timeline.seconds_per_tick
